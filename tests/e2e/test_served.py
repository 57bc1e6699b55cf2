"""Every RPC of the contracts is served by the running mesh."""

from __future__ import annotations

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from mesh.contracts import contracts, file_set
from tests.e2e.conftest import RunningMesh

pytestmark = pytest.mark.timeout(1500)

STREAM_SECONDS = 5


def declared() -> set[str]:
    """Return the full names of the services of all contracts."""
    return {f"{file.package}.{service.name}" for file in file_set().file for service in file.service}


def test_every_service_is_reflected(mesh: RunningMesh) -> None:
    reflected: set[str] = set()
    for address in mesh.services:
        with grpc.insecure_channel(address) as channel:
            reflected |= set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert declared() - reflected == set()


def test_no_rpc_that_is_reflected_is_unimplemented(mesh: RunningMesh) -> None:
    answers: dict[str, str] = {}
    for address in mesh.services:
        with grpc.insecure_channel(address) as channel:
            for name in ProtoReflectionDescriptorDatabase(channel).get_services():
                if name.startswith("llamastack."):
                    answers |= answers_of(channel, name)
    assert answers
    assert {path for path, code in answers.items() if code in {"UNIMPLEMENTED", "INTERNAL", "UNKNOWN"}} == set()


def answers_of(channel: grpc.Channel, service: str) -> dict[str, str]:
    """Return the code that each RPC of a service gives to an empty request."""
    answers = {}
    for method in contracts().FindServiceByName(service).methods:
        path = f"/{service}/{method.name}"
        try:
            if method.client_streaming:
                list(channel.stream_stream(path)(iter([b""]), timeout=60))
            elif method.server_streaming:
                # a stream that waits for what comes next has no end of its own
                list(channel.unary_stream(path)(b"", timeout=STREAM_SECONDS))
            else:
                channel.unary_unary(path)(b"", timeout=60)
            answers[path] = "OK"
        except grpc.RpcError as error:
            answers[path] = error.code().name  # type: ignore[attr-defined]
    return answers
