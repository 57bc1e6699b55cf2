"""Drives the agentic system resources of llama-stack and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-stack: ``agents_client.py BASE_URL``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import llama_stack
from llama_stack import LlamaStack


def shown(given: Any) -> Any:
    """Return an object of the client as JSON."""
    return json.loads(given.model_dump_json(exclude_unset=True, by_alias=True))


def main(base_url: str) -> None:
    """Make an agent, talk to it, look at what it left, and take it away."""
    with LlamaStack(base_url=base_url, max_retries=0) as client:
        agents = client.agentic_system
        config = {"model": "llama", "instructions": "Be brief.", "tools": [{"type": "brave_search", "engine": "brave"}]}
        agent_id = agents.create(agent_config=config).agent_id
        session_id = agents.sessions.create(agent_id=agent_id, session_name="talk").session_id
        ask = {"agent_id": agent_id, "session_id": session_id}
        question = [{"role": "user", "content": "Who won?"}]
        streamed = [shown(chunk) for chunk in agents.turns.create(**ask, messages=question, stream=True)]
        turn = streamed[-1]["event"]["payload"]["turn"]
        step_id = turn["steps"][1]["step_id"]
        results = {
            "streamed": streamed,
            "whole": shown(agents.turns.create(**ask, messages=question)),
            "turn": shown(agents.turns.retrieve(agent_id=agent_id, turn_id=turn["turn_id"])),
            "step": shown(agents.steps.retrieve(agent_id=agent_id, turn_id=turn["turn_id"], step_id=step_id)),
            "session": shown(agents.sessions.retrieve(**ask)),
            "some turns": shown(agents.sessions.retrieve(**ask, turn_ids=[turn["turn_id"]])),
        }
        agents.sessions.delete(**ask)
        try:
            agents.sessions.retrieve(**ask)
        except llama_stack.NotFoundError as error:
            results["deleted"] = error.status_code
        agents.delete(agent_id=agent_id)
        json.dump(results, sys.stdout)


main(sys.argv[1])
