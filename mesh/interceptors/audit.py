"""Records calls that change something, and those that are turned away for who the caller is."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from mesh import metadata
from mesh.audit import AuditLog, resources
from mesh.errors import from_exception
from mesh.methods import Method
from mesh.pipeline import Call, Proceed

CHANGES: Final = frozenset({"write", "admin"})
_DENIED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


class Audit:
    """Writes a line for every call of a ``write`` or ``admin`` RPC and for every refused one.

    It surrounds the check of the caller, and takes the identity from the call, where that check leaves it.
    """

    def __init__(self, log: AuditLog | None) -> None:
        self._log = log

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` with the record around it."""
        log = self._log
        if log is None or method.infrastructure:
            return proceed
        changes = method.action in CHANGES

        async def recorded(call: Call) -> Any:
            try:
                response = await proceed(call)
            except asyncio.CancelledError:
                if changes:
                    log.write(_entry(call, "CANCELLED") | {"resources": resources(call.request)})
                raise
            except Exception as raised:
                error = from_exception(raised)
                if changes or error.code in _DENIED:
                    told = {"reason": error.reason_name(), "resources": resources(call.request)}
                    log.write(_entry(call, error.code.name) | told)
                raise
            if changes:
                named = resources(call.request, _message(method, response))
                log.write(_entry(call, "OK") | {"resources": named})
            return response

        return recorded


def _entry(call: Call, code: str) -> dict[str, Any]:
    """Return what is known of a call and its caller."""
    identity = call.identity
    return {
        "method": call.method.path.removeprefix("/"),
        "code": code,
        "subject": None if identity is None else identity.subject,
        "tenant": None if identity is None else identity.tenant,
        "peer": call.context.peer() if identity is None else None,
        "request_id": metadata.request_id(),
    }


def _message(method: Method, response: object) -> Message | None:
    """Return the answer to a unary call, which has been serialized by now."""
    if method.output is None or not isinstance(response, bytes):
        return None
    try:
        return GetMessageClass(method.output).FromString(response)
    except DecodeError:
        return None
