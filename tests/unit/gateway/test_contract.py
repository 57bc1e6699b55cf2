"""The contracts are read whole, and those that contradict themselves are refused."""

from __future__ import annotations

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from gateway.app import Gateway, Surroundings, load_contract
from gateway.config import GatewayConfig
from gateway.contract import Contract, ContractError
from gateway.endpoint import RpcEndpoint
from gateway.eventid import event_id_reader
from gateway.observe import Unwatched
from gateway.routes import Found
from gateway.upstream import Call
from llamastack.json.v1 import json_pb2


class Nowhere:
    """Reaches nothing."""

    def at(self, address: str) -> Nowhere:
        """Return itself."""
        return self

    def state(self, address: str) -> str:
        """Return a word."""
        return "idle"

    async def close(self) -> None:
        """Do nothing."""

    async def unary(self, call: Call) -> bytes:
        """Return nothing."""
        return b""

    def stream(self, call: Call) -> Nowhere:
        """Return itself."""
        return self

    async def read(self) -> list[bytes]:
        """Return the end."""
        return []

    def cancel(self) -> None:
        """Do nothing."""


def test_every_binding_of_every_contract_is_routed_with_and_without_a_slash() -> None:
    contract = load_contract()
    gateway = Gateway(GatewayConfig(upstreams=("*=nowhere",)), contract, Surroundings(Nowhere(), Unwatched()))
    rules = [(rpc, rule) for rpc in contract.rpcs.values() for rule in rpc.rules]
    assert len(rules) > 100
    for rpc, rule in rules:
        for path in (rule.template, rule.template + "/"):
            found = gateway.router.find(rule.verb, path)
            assert isinstance(found, Found), (rule, path)
            assert isinstance(found.target, RpcEndpoint)
            assert found.target.route == rpc.path


def test_every_rpc_states_who_may_call_it() -> None:
    assert [path for path, rpc in load_contract().rpcs.items() if not rpc.action] == []


def file(**options: str) -> FileDescriptorSet:
    made = FileDescriptorProto(name="x.proto", package="llamastack.x.v1", syntax="proto3")
    made.dependency.extend(["google/api/annotations.proto", "llamastack/json/v1/json.proto"])
    for name in ("Thing", "Other"):
        message = made.message_type.add(name=name)
        message.field.add(name="text", number=1, type=9, label=1)
        message.field.add(name="number", number=2, type=3, label=1)
    service = made.service.add(name="XService")
    method = service.method.add(name="Do", input_type=".llamastack.x.v1.Thing", output_type=".llamastack.x.v1.Thing")
    other = service.method.add(name="Watch", input_type=".llamastack.x.v1.Other", output_type=".llamastack.x.v1.Thing")
    other.server_streaming = True
    rule = method.options.Extensions[annotations_pb2.http]
    rule.post = "/do"
    rule.body = options.get("body", "")
    rule.response_body = options.get("response_body", "")
    method.options.Extensions[json_pb2.method].stream_method = options.get("stream_method", "")
    method.client_streaming = "client_streaming" in options
    base = [each for each in load_contract().files.file if each.package in _NEEDED]
    return FileDescriptorSet(file=[*base, made])


_NEEDED = frozenset({"google.protobuf", "google.api", "llamastack.json.v1"})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"body": "nothing"}, "body 'nothing' is no field of llamastack.x.v1.Thing"),
        ({"response_body": "nothing"}, "response_body 'nothing' is no field"),
        ({"stream_method": "Nothing"}, "stream_method 'Nothing' is no streaming RPC"),
        ({"stream_method": "Watch"}, "stream_method 'Watch' is no streaming RPC over the same request"),
        ({"client_streaming": "yes"}, "a client stream can't have a REST path"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(options: dict[str, str], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        Contract(file(**options).SerializeToString())


def test_ids_of_events_are_integers_at_a_path() -> None:
    message = Contract(file().SerializeToString()).pool.FindMessageTypeByName("llamastack.x.v1.Thing")
    read = event_id_reader(message, "number")
    # text "ab" (field 1), then number 300 (field 2), then number 7, which replaces it
    assert [read(b""), read(b"\x0a\x02ab\x10\xac\x02"), read(b"\x10\xac\x02\x10\x07")] == [0, 300, 7]
    for path in ("text", "nothing", "number.x"):
        with pytest.raises(ContractError):
            event_id_reader(message, path)
