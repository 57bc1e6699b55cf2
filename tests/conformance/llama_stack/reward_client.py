"""Drives the reward scoring resource of llama-stack and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-stack: ``reward_client.py BASE_URL``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import llama_stack
from llama_stack import LlamaStack

DIALOG = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "stop_reason": "end_of_turn", "tool_calls": []}


def main(base_url: str) -> None:
    """Make the calls one after the other."""
    generations = [
        {"dialog": DIALOG, "sampled_generations": [said("4"), said("four")]},
        {"dialog": DIALOG[1:], "sampled_generations": []},
    ]
    results = {}
    with LlamaStack(base_url=base_url, max_retries=0) as client:
        for model in ("reward", "none"):
            try:
                given = client.reward_scoring.score(dialog_generations=generations, model=model)
                results[model] = given.model_dump(mode="json", exclude_unset=True)
            except llama_stack.APIStatusError as error:
                results[model] = {"raised": type(error).__name__, "status": error.status_code}
    json.dump(results, sys.stdout)


main(sys.argv[1])
