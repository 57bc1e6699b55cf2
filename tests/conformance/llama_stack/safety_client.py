"""Drives the safety resource of llama-stack and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-stack: ``safety_client.py BASE_URL THIRD_PARTY_URL``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import llama_stack
from llama_stack import LlamaStack

HELLO = {"role": "user", "content": ["hel", "lo"]}


def main(base_url: str, third_party: str) -> None:
    """Make the calls one after the other."""
    party = {
        "shield_type": "third_party_shield",
        "on_violation_action": 1,
        "execution_config": {"url": third_party, "method": "GET", "params": {"a": "b"}},
    }
    guard = {"shield_type": "llama_guard", "on_violation_action": 2}
    calls: dict[str, list[Any]] = {
        "several": [party, guard, {"shield_type": "pii_shield", "on_violation_action": 0}],
        "unknown": [{"shield_type": "moat", "on_violation_action": 2}],
    }
    results = {}
    with LlamaStack(base_url=base_url, max_retries=0) as client:
        for name, shields in calls.items():
            try:
                given = client.safety.run_shields(messages=[HELLO], shields=shields)
                results[name] = given.model_dump(mode="json", exclude_unset=True)
            except llama_stack.APIStatusError as error:
                results[name] = {"raised": type(error).__name__, "status": error.status_code}
    json.dump(results, sys.stdout)


main(*sys.argv[1:])
