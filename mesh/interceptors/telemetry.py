"""Observes incoming calls: a SERVER span if sampled, and their duration by method and code."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import grpc

from mesh.methods import HEALTH, Method
from mesh.pipeline import Call, Context, Proceed
from mesh.telemetry.companion import finish
from mesh.telemetry.metrics import SYSTEM, Metrics, server_error
from mesh.telemetry.tracing import Tracing

_NAMES: Final = {code.value[0]: code.name for code in grpc.StatusCode}

# a caller whose deadline passes hangs up, and that often arrives before the deadline passes here
_SLACK_S: Final = 0.05


class Telemetry:
    """The outermost interceptor; health is left out, it would drown the rest."""

    def __init__(self, tracing: Tracing, metrics: Metrics) -> None:
        self._tracing = tracing
        self._metrics = metrics

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` observed."""
        if method.service == HEALTH:
            return proceed
        tracing, metrics = self._tracing, self._metrics
        name = method.path.removeprefix("/")
        attributes = {"rpc.system.name": SYSTEM, "rpc.method": name}

        async def observed(call: Call) -> Any:
            started = time.perf_counter()
            code = "UNKNOWN"
            with tracing.serving(name, call.metadata, attributes) as span:
                try:
                    response = await proceed(call)
                    code = _code(call.context) or "OK"
                    return response
                except asyncio.CancelledError:
                    code = _cancelled(call.context)
                    raise
                except Exception:
                    code = _code(call.context) or "UNKNOWN"
                    raise
                finally:
                    metrics.served(name, code, time.perf_counter() - started)
                    if span is not None:
                        finish(span, code, server_error(code))

        return observed


def _code(context: Context) -> str:
    """Return the name of the code that was set for a call, empty if none was."""
    code: Any = context.code()
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code, "")


def _cancelled(context: Context) -> str:
    """Return which of the two reasons ended a call from outside: its deadline, or its caller."""
    remaining = context.time_remaining()
    return "DEADLINE_EXCEEDED" if remaining is not None and remaining <= _SLACK_S else "CANCELLED"
