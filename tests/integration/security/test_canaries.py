"""Planted secrets never come out again: not in settings that are shown, logs, traces, metrics or answers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
import typing
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from cli.configuration import CONFIGURATIONS, config
from cli.deployables import GATEWAY, SERVICES
from mesh.auth.apikeys import new_key
from mesh.config import names
from tests.integration.mesh.test_telemetry import Collector, collecting
from tests.integration.security.processes import process, until_it_answers, until_it_serves
from tests.ports import free_address

MARK = "cAnArY"


def secret_settings(kind: type[Any]) -> Iterator[str]:
    """Yield the names of all secrets of a configuration."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.metadata.get("secret"):
            yield field.metadata["variable"]
        elif dataclasses.is_dataclass(hints[field.name]):
            yield from secret_settings(hints[field.name])


def planted(variable: str) -> str:
    """Return a value with a mark that the setting takes."""
    if variable.endswith("DATABASE_URL"):
        return f"postgresql://altiplano:{MARK}@127.0.0.1:1/altiplano"
    if variable.endswith("API_KEYS"):
        return json.dumps([{"name": MARK, "tenant": MARK, "sha256": "0" * 64, "scopes": []}])
    if variable.endswith("TOOL_SECRETS"):
        return json.dumps({"pets": MARK})
    return f"{MARK}-{variable}-{'x' * 32}"


@pytest.mark.parametrize("service", CONFIGURATIONS)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_settings_that_are_shown_hold_no_secret(
    service: str, form: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [names(name, service)[0] for name in secret_settings(CONFIGURATIONS[service])]
    assert secrets
    for number, variable in enumerate(secrets):
        if number % 2:
            monkeypatch.setenv(variable, planted(variable))
        else:
            (tmp_path / variable).write_text(planted(variable))
            monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / variable))
    shown = CliRunner().invoke(config, [service, *form])
    assert shown.exit_code == 0, shown.output
    assert "***" in shown.output
    assert MARK not in shown.output


@pytest.mark.parametrize("value", [f"nonsense-{MARK}", f"postgresql://a:{MARK}@[/x", f"mysql://a:{MARK}@b/c"])
async def test_a_database_url_that_can_not_work_is_not_repeated(value: str, tmp_path: Path) -> None:
    log = tmp_path / "memory.log"
    settings = {"ALTIPLANO_MEMORY_DATABASE_URL": value, "ALTIPLANO_MEMORY_DATA": str(tmp_path / "data")}
    async with process("services.memory", log, settings) as running, asyncio.timeout(60):
        assert await running.wait() != 0
    assert MARK not in log.read_text()


class Planted:
    """Secrets for the processes of one test, and everything that came out of them."""

    def __init__(self, folder: Path) -> None:
        key, digest = new_key()
        signing = ec.generate_private_key(ec.SECP256R1())
        jwk = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(signing.public_key())), "kid": "k", "use": "sig"}
        (folder / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
        now = int(time.time())
        claims = {"iss": "idp", "aud": "mesh", "sub": "ann", "tenant": "acme", "scope": "*:*", "iat": now}
        token = jwt.encode({**claims, "exp": now + 600}, signing, "ES256", {"kid": "k"})
        self.key, self.token = key, token
        self.wrong_key, self.wrong_token = f"alp_{MARK}-wrong", f"eyJhbGciOiJFUzI1NiJ9.{MARK}.{MARK}"
        self.mesh_secret, self.tool_key = f"{MARK}-mesh-secret-{'s' * 32}", f"{MARK}-brave"
        self.provider = json.dumps({"searxng_api_key": f"{MARK}-provider"})
        self.settings = {
            "ALTIPLANO_API_KEYS": json.dumps([{"name": "ci", "tenant": "acme", "sha256": digest, "scopes": ["*:*"]}]),
            "ALTIPLANO_JWT_JWKS": str(folder / "jwks.json"),
            "ALTIPLANO_JWT_ISSUER": "idp",
            "ALTIPLANO_JWT_AUDIENCE": "mesh",
            "ALTIPLANO_MESH_SECRET": self.mesh_secret,
            "ALTIPLANO_AGENTS_BRAVE_SEARCH_API_KEY": self.tool_key,
            "ALTIPLANO_AGENTS_BRAVE_SEARCH_URL": "http://127.0.0.1:1",
            "ALTIPLANO_AGENTS_TOOL_SECRETS": json.dumps({"pets": f"{MARK}-tool"}),
            "ALTIPLANO_MEMORY_QDRANT_API_KEY": f"{MARK}-qdrant",
            "ALTIPLANO_INFERENCE_OPENAI_API_KEY": f"{MARK}-openai",
            "ALTIPLANO_EVAL_LM_EVAL_API_KEY": f"{MARK}-harness",
            "ALTIPLANO_TRAINING_HUB_TOKEN": f"{MARK}-hub",
            "ALTIPLANO_TRAINING_RAY_TOKEN": f"{MARK}-ray",
            "ALTIPLANO_LOG_LEVEL": "debug",
            "ALTIPLANO_TRACE_RATIO": "1",
        }

    def found_in(self, *texts: str) -> set[str]:
        """Return the secrets that are in texts; of signed tokens the signature is enough."""
        secrets = {MARK, self.key, self.key.removeprefix("alp_"), self.token, self.token.rpartition(".")[2]}
        return {secret for secret in secrets if any(secret in text for text in texts)}


async def test_what_processes_write_and_answer_holds_no_secret(postgres_url: str, tmp_path: Path) -> None:
    given = Planted(tmp_path)
    addresses = {deployable.name: free_address() for deployable in (*SERVICES, GATEWAY)}
    upstreams = [f"{area}={addresses[deployable.name]}" for deployable in SERVICES for area in deployable.areas]
    logs = {name: tmp_path / f"{name}.log" for name in addresses}
    with collecting() as (collector, endpoint):
        settings = {
            **given.settings,
            **{f"ALTIPLANO_{name.upper()}_BIND": address for name, address in addresses.items()},
            **{f"ALTIPLANO_{name.upper()}_ADDRESS": address for name, address in addresses.items()},
            **{f"ALTIPLANO_{name.upper()}_DATA": str(tmp_path / name) for name in addresses},
            "ALTIPLANO_OTLP_ENDPOINT": endpoint,
            "ALTIPLANO_MEMORY_DATABASE_URL": postgres_url.replace("postgres@", f"postgres:{MARK}@"),
            # a model that the key is shown to, where nobody is
            "ALTIPLANO_INFERENCE_MODEL": "",
            "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
            "ALTIPLANO_INFERENCE_REMOTE_MODELS": "away=http://127.0.0.1:1/v1",
            "ALTIPLANO_INFERENCE_OPENAI_API_HOSTS": "127.0.0.1",
            "ALTIPLANO_GATEWAY_UPSTREAMS": ",".join(upstreams),
        }
        async with AsyncExitStack() as stack:
            running = {
                name: await stack.enter_async_context(
                    process("gateway" if name == "gateway" else f"services.{name}", log, settings)
                )
                for name, log in logs.items()
            }
            for name in ("memory", "agents", "training", "eval"):
                await until_it_serves(addresses[name], running[name], logs[name])
            answers = await answered(f"http://{addresses['gateway']}", given)
        written = {name: log.read_text() for name, log in logs.items()}
    spans = spans_of(collector)
    assert [line for text in written.values() for line in text.splitlines() if '"code": "UNAUTHENTICATED"' in line]
    assert spans
    assert {name: given.found_in(text) for name, text in written.items() if given.found_in(text)} == {}
    assert given.found_in(*answers) == set()
    assert given.found_in(*spans) == set()


async def answered(base: str, given: Planted) -> list[str]:
    """Call the gateway with good and bad credentials, with calls that work and calls that fail; return the answers."""
    texts, codes = [], set()
    bank = {"name": "b", "config": {"type": "keyword"}}
    search = {"tool_name": "brave_search", "arguments": {"query": "cats"}}
    shown: list[Mapping[str, str]] = [
        {"x-api-key": given.key},
        {"authorization": f"Bearer {given.token}"},
        {"x-api-key": given.wrong_key},
        {"authorization": f"Bearer {given.wrong_token}"},
        {"authorization": f"Basic {MARK}"},
    ]
    async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as http:
        await until_it_answers(http)
        for headers in shown:
            for path, body in (
                ("/llamastack.memory.v1.MemoryBanksService/x", {}),
                ("/memory_banks/create", bank),
                ("/memory_banks/create", {"name": "v", "config": {"type": "vector", "embedding_model": "m"}}),
                ("/tools/run", search),
                ("/memory_banks/drop", {"bank_id": MARK[:3]}),
                ("/models/list", {}),
                ("/inference/completion", {"model": "away", "content": "hi"}),
                ("/datasets/get", {"dataset_uuid": MARK[:3]}),
                ("/evaluate/job/status", {"job_uuid": MARK[:3]}),
            ):
                answer = await http.post(
                    path, json=body, headers={**headers, "x-llamastack-providerdata": given.provider}
                )
                codes.add(answer.status_code)
                texts.append(f"{answer.status_code} {answer.headers} {answer.text}")
    assert codes == {200, 401, 404, 503}, texts
    return texts


def spans_of(collector: Collector) -> list[str]:
    """Return the spans that came in, as text."""
    found = []
    while not collector.received.empty():
        found.append(str(collector.received.get()))
    return found
