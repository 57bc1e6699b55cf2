"""Turns every exception of a call into a gRPC status; the only place of a server that does."""

from __future__ import annotations

import logging
from typing import Any, Final

import grpc
import grpc.aio

from mesh.errors import Internal, MeshError, from_exception, trailers
from mesh.methods import Method
from mesh.pipeline import Call, Proceed

_STATUS_TEXT: Final = 1024

log = logging.getLogger(__name__)


class Errors:
    """Sends a MeshError as its status; anything else as INTERNAL with an id that is logged with the traceback."""

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` with its exceptions translated."""

        async def guarded(call: Call) -> Any:
            try:
                return await proceed(call)
            except grpc.aio.AbortError:
                raise
            except Exception as raised:  # noqa: BLE001  # the edge of the process: nothing may leave it untranslated
                error = from_exception(raised)
                _note(method, error, raised)
            return await call.context.abort(error.code, _text(error.message), trailing_metadata=trailers(error))

        return guarded


def _text(message: str) -> str:
    """Return the message as it fits into the status line; in full it is in the details."""
    return message if len(message) <= _STATUS_TEXT else f"{message[:_STATUS_TEXT]}…"


def _note(method: Method, error: MeshError, raised: Exception) -> None:
    """Log a defect of this process with its traceback; an error of a caller or a callee is no news here."""
    if isinstance(error, Internal) and not isinstance(raised, MeshError | grpc.RpcError):
        log.error("%s failed, id %s", method.path, error.error_id, exc_info=raised, extra={"error_id": error.error_id})
    elif isinstance(error, Internal):
        log.warning("%s passes on an internal error, id %s", method.path, error.error_id, exc_info=raised)
