"""W3C Trace Context (https://www.w3.org/TR/trace-context/): reading, writing, and the trace of the current call."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
# what gRPC metadata can carry; anything else would fail the call that it travels on with
_STATE: Final = re.compile(r"[ -~]{0,512}")


@dataclass(frozen=True, slots=True)
class Trace:
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
    # ids need to be distinct, not secret
    trace_id = f"{random.getrandbits(128) or 1:032x}"
    return Trace(trace_id, f"{random.getrandbits(64) or 1:016x}", random.random() < ratio)


current: ContextVar[Trace | None] = ContextVar("mesh_trace", default=None)
"""The trace of the call that runs now; None outside of any."""
