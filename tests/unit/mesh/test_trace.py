"""Trace context as callers send it, fit or not."""

from __future__ import annotations

import pytest

from mesh.telemetry.trace import Trace, read

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)


@pytest.mark.parametrize("parent", ["", "00-zz", "\xff", PARENT.upper(), PARENT.replace("0af", "000")[:-1]])
def test_a_broken_parent_is_no_trace(parent: str) -> None:
    assert read({"traceparent": parent}) is None


@pytest.mark.parametrize(("state", "kept"), [("a=b,c=d", "a=b,c=d"), ("\xff\xfe", ""), ("a\tb", ""), ("x" * 513, "")])
def test_a_state_that_metadata_can_not_carry_is_dropped(state: str, kept: str) -> None:
    trace = read({"traceparent": PARENT, "tracestate": state})
    assert trace == Trace(TRACE.trace_id, TRACE.span_id, TRACE.sampled, kept)
