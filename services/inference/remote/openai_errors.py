"""Refusals of OpenAI-compatible servers as the errors of the mesh.

The server's own words are passed on where they are about the request. What they say about the server or about the key
is no business of a caller.
"""

from __future__ import annotations

from typing import Any

from mesh.errors import (
    BackendUnavailable,
    InvalidField,
    MalformedRequest,
    MeshError,
    NotSupported,
    OutOfRange,
    Overloaded,
    QuotaExceeded,
    RequestTooLarge,
    ResourceNotFound,
    WrongState,
)

CONTEXT_SIGNS = ("context_length_exceeded", "maximum context length", "context length", "context size")


def refusal(status: int, body: Any, model_id: str, retry_after_s: float | None = None) -> MeshError:
    """Return the error for an answer with an HTTP status of 400 or more; ``body`` is its JSON, None if it has none."""
    message, code, param = _told(body)
    match status:
        case 400 | 422:
            return _bad_request(message, code, param)
        case 401 | 403:
            return WrongState(f"the server of model {model_id} refuses the credentials that this service has for it")
        case 404:
            return ResourceNotFound("model", model_id)
        case 413:
            return RequestTooLarge(message or "the request is larger than the server of the model takes")
        case 429 if code == "insufficient_quota":
            return QuotaExceeded(f"this service at the server of model {model_id}")
        case 429:
            return Overloaded(f"the server of model {model_id} is full", retry_after_s=retry_after_s or 1.0)
        case 405 | 415 | 501:
            return NotSupported(f"the server of model {model_id} does not do this")
        case _:
            return BackendUnavailable(
                f"the server of model {model_id} answers with an error", retry_after_s=retry_after_s or 1.0
            )


def refusal_in_stream(body: Any, model_id: str) -> MeshError:
    """Return the error for an error object that came within a stream."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    status = int(code) if isinstance(code, int | str) and str(code).isdigit() else 500
    return refusal(status, body, model_id)


def _told(body: Any) -> tuple[str, str, str]:
    """Return message, code and parameter of an error body; vLLM and others leave ``error`` out around them."""
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, str):
        return error, "", ""
    if not isinstance(error, dict):
        return "", "", ""
    message, code, param = (error.get(name) for name in ("message", "code", "param"))
    return str(message or ""), str(code or ""), str(param or "")


def _bad_request(message: str, code: str, param: str) -> MeshError:
    if code == CONTEXT_SIGNS[0] or any(sign in message.lower() for sign in CONTEXT_SIGNS):
        return OutOfRange(message or "the prompt does not fit the context")
    if param:
        return InvalidField(param, message or "a value that the server of the model takes")
    return MalformedRequest(message or "the server of the model can't read the request")
