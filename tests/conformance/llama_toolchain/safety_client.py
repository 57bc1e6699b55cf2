"""Drives the safety client of llama-toolchain and prints, as JSON, what each call gave or raised.

Runs with the interpreter of an environment that holds llama-toolchain: ``safety_client.py BASE_URL THIRD_PARTY_URL``.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from contextlib import redirect_stdout
from typing import Any

from llama_models.llama3.api.datatypes import URL, CompletionMessage, StopReason, SystemMessage, UserMessage
from llama_toolchain.common.deployment_types import RestAPIExecutionConfig, RestAPIMethod
from llama_toolchain.safety.api import BuiltinShield, OnViolationAction, RunShieldRequest, ShieldDefinition
from llama_toolchain.safety.client import SafetyClient

HELLO = UserMessage(content="hello")
CODE = CompletionMessage(
    content="```python\nsubprocess.run(x, shell=True)\n```", stop_reason=StopReason.end_of_turn, tool_calls=[]
)


def guard(**settings: Any) -> ShieldDefinition:
    return ShieldDefinition(shield_type=BuiltinShield.llama_guard, **settings)


def requests(third_party: str) -> dict[str, RunShieldRequest]:
    """Return the requests by name."""
    config = RestAPIExecutionConfig(url=URL(uri=third_party), method=RestAPIMethod.POST, headers={"x-key": "k"})
    party = ShieldDefinition(
        shield_type=BuiltinShield.third_party_shield,
        on_violation_action=OnViolationAction.WARN,
        execution_config=config,
    )
    code = ShieldDefinition(shield_type=BuiltinShield.code_scanner_guard)
    jailbreak = ShieldDefinition(shield_type=BuiltinShield.jailbreak_shield)
    own = ShieldDefinition(shield_type="pii_shield", on_violation_action=OnViolationAction.IGNORE)
    talk = [SystemMessage(content="Be brief."), HELLO, CODE]
    return {
        "guard": RunShieldRequest(messages=[HELLO], shields=[guard()]),
        "several": RunShieldRequest(messages=talk, shields=[code, guard(), party, own, jailbreak]),
        "none": RunShieldRequest(messages=[HELLO], shields=[]),
        "unknown": RunShieldRequest(messages=[HELLO], shields=[ShieldDefinition(shield_type="moat")]),
    }


async def main(base_url: str, third_party: str) -> None:
    """Make the calls one after the other."""
    results: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()):
        client = SafetyClient(base_url)
        for name, request in requests(third_party).items():
            try:
                results[name] = json.loads((await client.run_shields(request)).json())
            except Exception as error:  # noqa: BLE001 - the client raises nothing more special
                results[name] = str(error)
    json.dump(results, sys.stdout)


asyncio.run(main(*sys.argv[1:]))
