"""Requests made up from the OpenAPI document, right and wrong ones, against every operation of the real contracts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig, ListenConfig
from gateway.openapi import Settings, render
from gateway.server import HttpServer
from gateway.upstream import GrpcUpstreams
from mesh.client import Client, ClientConfig
from tests.integration.gateway.blank import RULES, serve_blank
from tests.integration.gateway.conftest import Watched, until

CONTRACT = load_contract()
DOCUMENT = render(CONTRACT, Settings())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(verb.upper(), path) for path, item in DOCUMENT["paths"].items() for verb in item]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BUDGET = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def takes_something(verb: str, path: str) -> bool:
    """Tell whether a request can be wrong at all."""
    return bool(DOCUMENT["paths"][path][verb.lower()].keys() & {"parameters", "requestBody"})


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """Run the gateway in front of blank services on a thread; give its base URL."""
    running = _Running()
    thread = threading.Thread(target=asyncio.run, args=(running.main(),))
    thread.start()
    try:
        assert running.ready.wait(30)
        yield running.url
    finally:
        running.stop()
        thread.join(30)
    assert not thread.is_alive()


class _Running:
    def __init__(self) -> None:
        self.ready = threading.Event()
        self.url = ""
        self._server: HttpServer | None = None

    async def main(self) -> None:
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(serve_blank(CONTRACT))
            client = await stack.enter_async_context(Client(ClientConfig()))
            config = GatewayConfig(upstreams=(f"*={address}",), listen=ListenConfig(bind="127.0.0.1:0"))
            gateway = Gateway(config, CONTRACT, Surroundings(GrpcUpstreams(client), Watched()))
            self._server = HttpServer(gateway.app, gateway.admission, config.listen)
            serving = asyncio.create_task(self._server.serve())
            server = self._server
            await until(lambda: server.started)
            self.url = f"http://{self._server.address}"
            self.ready.set()
            await serving

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_a_request_that_fits_the_document_is_read_and_answered_as_the_document_says(
    gateway: str, verb: str, path: str
) -> None:
    @BUDGET
    @given(SCHEMA[path][verb].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case) -> None:  # type: ignore[no-untyped-def]
        response = case.call(base_url=gateway, timeout=20)
        case.validate_response(response, checks=CHECKS)
        # rules over several members have no form in a schema: the service may refuse a request, the gateway not
        assert response.status_code == 200 or RULES in response.text

    check()


@pytest.mark.parametrize(("verb", "path"), [each for each in OPERATIONS if takes_something(*each)])
def test_a_request_that_does_not_fit_the_document_breaks_nothing(gateway: str, verb: str, path: str) -> None:
    @BUDGET
    @given(SCHEMA[path][verb].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case) -> None:  # type: ignore[no-untyped-def]
        response = case.call(base_url=gateway, timeout=20)
        case.validate_response(response, checks=CHECKS)

    check()
