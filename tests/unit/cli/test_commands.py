"""The command line answers right and wrong input with its exit codes, and shows who it is."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from gateway.app import load_contract
from llamastack.models.v1.models_pb2 import ListModelsRequest, ListModelsResponse
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceServicer, add_ModelsServiceServicer_to_server
from mesh.auth.apikeys import ApiKeys, digest, parse_keys
from mesh.auth.authenticator import Credentials
from mesh.identity import Identity
from mesh.server import Attachments
from mesh.testing import mesh_of
from tests.ports import free_address

NOWHERE = "127.0.0.1:1"


class Models(ModelsServiceServicer):
    async def ListModels(self, request: ListModelsRequest, context: Any) -> ListModelsResponse:
        return ListModelsResponse()


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def made(*arguments: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the key and the list of entries that ``altiplano key`` makes."""
    result = run("key", *arguments)
    assert result.exit_code == 0
    return result.stderr.strip().removeprefix("ALTIPLANO_API_KEY="), json.loads(result.stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["call", "Foo/Bar"], 2, "there is no RPC Foo/Bar"),
        (["call", "Foo"], 2, "is not SERVICE/METHOD"),
        (["call", "ModelsService/ListModels", "{"], 2, "expected a JSON document"),
        (["call", "ModelsService/ListModels", '{"page":1}'], 2, "page: expected one of the members"),
        (["call", "ModelsService/ListModels", "{}", "--timeout", "0"], 2, "--timeout"),
        (["call", "ModelsService/ListModels", "--address", NOWHERE], 3, f"is it running at {NOWHERE}?"),
        (["chat", "hi", "--address", NOWHERE], 3, f"is it running at {NOWHERE}?"),
        (["memory", "--address", NOWHERE, "list"], 3, f"is it running at {NOWHERE}?"),
        (["memory", "list", "--address", NOWHERE], 3, f"is it running at {NOWHERE}?"),
        (["memory", "--address", "127.0.0.1:2", "list", "--address", NOWHERE], 3, f"is it running at {NOWHERE}?"),
        (["config", "kitchen"], 2, "kitchen"),
        (["key", "ci", "--scope", "everything"], 2, "is not AREA:ACTION"),
    ],
)
def test_what_can_not_work_is_told_with_an_exit_code(arguments: Sequence[str], code: int, words: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_the_document_of_every_api_is_printed_without_a_service() -> None:
    result = run("openapi")
    document = json.loads(result.stdout)
    paths = {rule.template.replace("=**", "") for rpc in load_contract().rpcs.values() for rule in rpc.rules}
    assert (result.exit_code, document["openapi"], paths - document["paths"].keys()) == (0, "3.1.0", set())


def test_versions_are_those_that_are_installed() -> None:
    versions = json.loads(run("version", "--json").stdout)
    assert (versions["altiplano"], versions["grpcio"]) == (installed("altiplano"), installed("grpcio"))


def test_a_mesh_that_is_not_up_is_told_process_by_process() -> None:
    names = ["inference", "agents", "memory", "training", "eval", "gateway"]
    result = run("status", "--json", **{f"ALTIPLANO_{name.upper()}_ADDRESS": NOWHERE for name in names})
    told = [(state["name"], state["word"]) for state in json.loads(result.stdout)]
    assert (result.exit_code, told) == (3, [(name, "unreachable") for name in names])


def test_an_area_that_no_service_serves_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.main.serving", lambda area: None)
    result = run("call", "DatasetsService/ListDatasets")
    assert (result.exit_code, "no service of this deployment serves" in result.stderr) == (2, True)


def test_a_mesh_does_not_start_beside_what_would_answer_in_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = f"127.0.0.1:{listener.getsockname()[1]}"
        for name in ("inference", "agents", "memory", "training", "eval"):
            monkeypatch.setenv(f"ALTIPLANO_{name.upper()}_ADDRESS", free_address())
        monkeypatch.setenv("ALTIPLANO_GATEWAY_ADDRESS", taken)
        result = CliRunner().invoke(main, ["up", "--data", str(tmp_path)])
    assert (result.exit_code, result.output) == (
        1,
        f"altiplano: gateway: {taken} is taken by another program. Is a mesh up already (`altiplano status`)? Stop "
        "what listens there, or set ALTIPLANO_GATEWAY_ADDRESS\n",
    )


def test_a_key_that_no_header_can_carry_is_told() -> None:
    result = run("chat", "hi", "--address", NOWHERE, ALTIPLANO_API_KEY="k\xff")
    assert (result.exit_code, result.stderr) == (2, "altiplano: ALTIPLANO_API_KEY is not printable ASCII\n")


def test_a_key_comes_with_the_entry_that_lets_it_in() -> None:
    key, entries = made("ci", "--tenant", "acme", "--scope", "inference:use", "--scope", "*:read")
    entry = {"name": "ci", "tenant": "acme", "sha256": digest(key), "scopes": ["inference:use", "*:read"]}
    assert entries == [entry]
    keys = ApiKeys(parse_keys(json.dumps(entries)))
    identity = asyncio.run(keys.authenticate(Credentials({"x-api-key": key})))
    assert identity == Identity("key:ci", "acme", frozenset({"inference:use", "*:read"}))


def test_a_key_opens_everything_for_ever_unless_told_otherwise() -> None:
    _, (entry,) = made("ci")
    _, (expiring,) = made("ci", "--days", "3")
    assert (entry["tenant"], entry["scopes"], "expires" in entry) == ("default", ["*:*"], False)
    assert parse_keys(json.dumps([expiring]))[0].expires is not None


async def test_calls_carry_the_key_of_the_environment() -> None:
    key, entries = made("ci", "--scope", "models:read")
    _, (stranger,) = made("other", "--scope", "memory:read")
    poor, poor_entries = made("poor", "--scope", "memory:read")
    keys = ApiKeys(parse_keys(json.dumps([*entries, stranger, *poor_entries])))
    attachments = Attachments(authenticator=keys)
    async with mesh_of({add_ModelsServiceServicer_to_server: Models()}, attachments=attachments) as mesh:
        arguments = ("call", "ModelsService/ListModels", "--address", mesh.address)
        tries = [await asyncio.to_thread(run, *arguments, ALTIPLANO_API_KEY=shown) for shown in (key, poor, "")]
    assert [result.exit_code for result in tries] == [0, 4, 4]
    assert json.loads(tries[0].stdout) is not None
    assert "models:read" in tries[1].stderr
    assert "put a key into ALTIPLANO_API_KEY" in tries[2].stderr


async def test_ctrl_c_ends_a_conversation_that_waits_for_a_line() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import cli.chat; from cli.main import main; read = cli.chat._asked\n"
        "cli.chat._asked = lambda: (print('ready', flush=True), read())[1]; main(['chat'])",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGINT)
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await process.communicate()
    assert (code, b"Traceback" in errors) == (130, False)
