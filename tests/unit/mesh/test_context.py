"""What belongs to a call: identity, deadline, metadata, trace."""

from __future__ import annotations

import asyncio
import re
from contextvars import copy_context

import pytest
from google.protobuf.struct_pb2 import Value

from llamastack.inference.v1.inference_pb2 import CompletionRequest, TokenIds, Usage
from mesh import deadline, metadata
from mesh.identity import LOCAL, Identity, acting_as, become, current, current_or_none
from mesh.interceptors.validation import has_rules
from mesh.methods import method
from mesh.telemetry.trace import Trace, begin, read

VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_outside_of_a_call_there_is_no_identity() -> None:
    assert current_or_none() is None
    with pytest.raises(LookupError, match="acting_as"):
        current()


def test_an_identity_holds_inside_its_block() -> None:
    ann = Identity("user:ann", "acme", frozenset())
    with acting_as(LOCAL):
        with acting_as(ann):
            assert current() is ann
        assert current() is LOCAL
    assert current_or_none() is None


async def test_who_one_became_one_is_until_the_task_ends() -> None:
    async def work() -> Identity:
        become(LOCAL)
        return await asyncio.create_task(told())

    async def told() -> Identity:
        return current()

    assert await asyncio.create_task(work()) is LOCAL
    assert current_or_none() is None


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("memory:read", True), ("memory:*", True), ("*:read", True), ("*:*", True), ("memory:write", False), ("", False)],
)
def test_a_scope_grants_an_action_in_an_area(scope: str, allowed: bool) -> None:
    assert Identity("s", "t", frozenset({scope})).allows("memory", "read") is allowed


def test_without_a_deadline_a_call_gets_what_it_wants() -> None:
    assert deadline.remaining() is None
    assert deadline.budget(None, 1) is None
    assert deadline.budget(5, 1) == 5


def test_a_deadline_can_only_come_earlier() -> None:
    with deadline.within(100):
        with deadline.within(1000), deadline.within(None):
            assert 99 < (deadline.remaining() or 0) <= 100
        with deadline.within(10):
            assert 9 < (deadline.remaining() or 0) <= 10
            assert 4 < (deadline.budget(None, 5) or 0) <= 5
            assert deadline.budget(2, 5) == 2


def test_a_margin_takes_at_most_half() -> None:
    with deadline.within(1):
        assert 0.4 < (deadline.budget(None, 60) or 0) <= 0.5
    with deadline.within(0):
        assert deadline.budget(None, 60) == 0


def test_what_travels_on_is_taken_from_the_incoming_call_alone() -> None:
    copy_context().run(check_acceptance)


def check_acceptance() -> None:
    metadata.accept({"x-request-id": "r", "x-llamastack-providerdata": "p", "authorization": "secret", "other": "o"})
    assert metadata.passed_on() == (("x-request-id", "r"), ("x-llamastack-providerdata", "p"))
    metadata.accept({})
    assert re.fullmatch("[0-9a-f]{32}", metadata.request_id() or "")


def test_a_trace_is_read_and_written_as_w3c_has_it() -> None:
    trace = read({"traceparent": VALID, "tracestate": "a=1"})
    assert trace == Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True, "a=1")
    assert trace is not None
    assert trace.pairs() == (("traceparent", VALID), ("tracestate", "a=1"))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "junk",
        VALID.upper(),
        VALID[:-1],
        VALID.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_a_broken_trace_is_none(value: str) -> None:
    assert read({"traceparent": value}) is None


def test_a_later_version_with_more_parts_is_read() -> None:
    trace = read({"traceparent": VALID.replace("00-", "01-", 1) + "-more"})
    assert trace == Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)


@pytest.mark.parametrize(("ratio", "sampled"), [(0.0, False), (1.0, True)])
def test_a_new_trace_is_sampled_by_the_ratio(ratio: float, sampled: bool) -> None:
    trace = begin(ratio)
    assert trace.sampled is sampled
    assert read(dict(trace.pairs())) == trace


def test_a_method_knows_what_its_contract_says() -> None:
    found = method("/llamastack.inference.v1.InferenceService/StreamCompletion")
    assert (found.service, found.name) == ("llamastack.inference.v1.InferenceService", "StreamCompletion")
    assert (found.scope, found.server_streaming, found.infrastructure) == ("inference:use", True, False)
    assert found.input is not None
    assert found.input.full_name == "llamastack.inference.v1.CompletionRequest"


def test_an_unknown_method_has_no_scope() -> None:
    found = method("/some.other.Service/Do")
    assert (found.area, found.action, found.scope, found.input) == ("", "", "", None)


def test_rules_are_found_in_a_message_and_below_it() -> None:
    assert has_rules(TokenIds.DESCRIPTOR)
    assert has_rules(CompletionRequest.DESCRIPTOR)
    assert not has_rules(Usage.DESCRIPTOR)
    # a type that holds itself
    assert not has_rules(Value.DESCRIPTOR)
