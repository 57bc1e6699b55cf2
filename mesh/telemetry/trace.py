"""W3C Trace Context (https://www.w3.org/TR/trace-context/): reading, writing, and the trace of the current call."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final, NamedTuple

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
# what gRPC metadata can carry; anything else would fail the call that it travels on with
_STATE: Final = re.compile(r"[ -~]{0,512}")

_NOT_ZERO: Final = 1 << 64 | 1


class Trace(NamedTuple):
    """Where in which trace a call is: ids in lower-case hex, whether spans are kept, the state of other tracers."""

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the metadata that makes a callee part of the trace."""
        parent = (TRACEPARENT, f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}")
        return (parent, (TRACESTATE, self.state)) if self.state else (parent,)


def read(carrier: Mapping[str, str]) -> Trace | None:
    """Return the trace that metadata or headers (keys in lower case) speak of; None if none or a broken one.

    A state that is over 512 characters or not printable ASCII is dropped.
    """
    value = carrier.get(TRACEPARENT)
    if value is None or (found := _FORM.fullmatch(value)) is None:
        return None
    state = carrier.get(TRACESTATE, "")
    trace_id, span_id, flags = found.groups()
    return Trace(trace_id, span_id, bool(int(flags, 16) & 1), state if _STATE.fullmatch(state) else "")


def begin(ratio: float) -> Trace:
    """Return a new trace, sampled with the probability ``ratio``."""
    # ids need to be distinct, not secret, and neither may be zero
    ids = (random.getrandbits(192) | _NOT_ZERO).to_bytes(24, "big").hex()
    return Trace(ids[:32], ids[32:], random.random() < ratio)


current: ContextVar[Trace | None] = ContextVar("mesh_trace", default=None)
"""The trace of the call that runs now; None outside of any."""
