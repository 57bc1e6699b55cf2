"""Requests made up from the gateway's own OpenAPI document never meet a defect.

The services behind it answer everything with an empty message, so that whatever fails is the gateway's own doing.
"""

from __future__ import annotations

from collections.abc import Sequence

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import CorsConfig, GatewayConfig
from gateway.observe import Unwatched
from gateway.upstream import Call


class Empty:
    """Answers every call with an empty message, and every stream with two of them."""

    def __init__(self) -> None:
        self._left = 2

    def at(self, address: str) -> Empty:
        """Return itself."""
        return self

    def state(self, address: str) -> str:
        """Return a word."""
        return "ready"

    async def close(self) -> None:
        """Do nothing."""

    async def unary(self, call: Call) -> bytes:
        """Return an empty message."""
        return b""

    def stream(self, call: Call) -> Empty:
        """Return a stream of its own."""
        return Empty()

    async def read(self) -> Sequence[bytes]:
        """Return one empty message, twice."""
        self._left -= 1
        return (b"",) if self._left >= 0 else ()

    def cancel(self) -> None:
        """Do nothing."""


# the name that requests of this client go to
CONFIG = GatewayConfig(upstreams=("*=nowhere",), cors=CorsConfig(origins=("http://testserver",)))
GATEWAY = Gateway(CONFIG, load_contract(), Surroundings(Empty(), Unwatched()))
schema = schemathesis.openapi.from_asgi("/openapi.json", GATEWAY.app)
# the other phases walk through every keyword of every schema, which takes minutes
schema.config.phases.update(phases=["fuzzing"])


@schema.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
def test_no_request_meets_a_defect(case: schemathesis.Case) -> None:
    response = case.call()
    case.validate_response(response, checks=(not_a_server_error, content_type_conformance, status_code_conformance))
    assert "Traceback" not in response.text
    assert ".py" not in response.text
