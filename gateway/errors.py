"""The one map from errors to HTTP: status, body and headers.

The statuses are those of google.rpc.Code
(https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto); what is HTTP alone has classes of its
own here. The body is ``{"error": {code, message, reason, details}}`` with the canonical name as code, or OpenAI's
``{"error": {message, type, param, code}}``. Neither ever has a traceback or the path of a source file in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import grpc
import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2

from llamastack.common.v1.error_pb2 import ErrorReason
from mesh.errors import (
    Cancelled,
    Internal,
    InvalidCredentials,
    MalformedRequest,
    MeshError,
    NotSupported,
    RequestTooLarge,
    to_status,
)

Headers = list[tuple[bytes, bytes]]

HTTP_STATUS: Final[dict[grpc.StatusCode, int]] = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
}

_LEAK = re.compile(r'Traceback \(most recent call last\)|File "[^"]*", line \d+|[\w/.-]+\.py:\d+')
# DebugInfo is not among them: it carries stack traces
_TOLD = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
    error_details_pb2.QuotaFailure,
    error_details_pb2.ResourceInfo,
    error_details_pb2.PreconditionFailure,
    error_details_pb2.RequestInfo,
    error_details_pb2.Help,
    error_details_pb2.LocalizedMessage,
)
# the rest of such a body is not worth reading to get at the next request
_UNREAD = frozenset({408, 413})
_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


class NotDeployed(MeshError):
    """The path belongs to a service that this deployment has no address for."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_NOT_SUPPORTED

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is not part of this deployment", metadata={"service": service})


class NoSuchPath(MeshError):
    """No contract has the path."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("there is nothing at this path; /openapi.json lists what there is")


class ForeignOrigin(MeshError):
    """The request comes from a web page that may not call."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_MISSING_SCOPE

    def __init__(self) -> None:
        super().__init__("pages of this origin may not call; the gateway's setting CORS_ORIGINS names those that may")


class ForeignHost(MeshError):
    """The request names another machine, which a web page that may not call could have made of this one."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_MISSING_SCOPE

    def __init__(self) -> None:
        super().__init__(
            "the Host header names another machine; the gateway's setting CORS_ORIGINS names the hosts that it may name"
        )


class VerbNotAllowed(NotSupported):
    """The path does not take the verb; ``allow`` lists what it takes."""

    http_status: ClassVar[int] = 405

    def __init__(self, allow: str) -> None:
        super().__init__(f"this path takes {allow}")
        self.allow = allow


class UnsupportedMediaType(MalformedRequest):
    """The body's type, charset or coding is not one that is read."""

    http_status: ClassVar[int] = 415


class BodyTooSlow(MalformedRequest):
    """The body did not arrive in time."""

    http_status: ClassVar[int] = 408


class BadHead(MalformedRequest):
    """What came is no HTTP."""


class HeadTooLarge(RequestTooLarge):
    """The request line and the headers are larger than what is taken."""

    http_status: ClassVar[int] = 431


class HeadTooSlow(MalformedRequest):
    """The request line and the headers did not arrive in time."""

    http_status: ClassVar[int] = 408


def went_away() -> Cancelled:
    """Return the error of an exchange whose client is gone."""
    return Cancelled("the client went away")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as HTTP tells it. ``headers`` are those that the error adds; ``body`` is one JSON object."""

    status: int
    headers: Headers
    body: bytes


def failure_of(error: MeshError, *, openai: bool) -> Failure:
    """Return what a caller is told of an error, in OpenAI's style where the service asks for it."""
    if _LEAK.search(error.message):
        error = Internal()
    status = http_status(error)
    content = _openai(error, status) if openai else _plain(error)
    return Failure(status, _headers(error, status), orjson.dumps({"error": content}))


def http_status(error: MeshError) -> int:
    """Return the HTTP status of an error."""
    own: int | None = getattr(error, "http_status", None)
    if own is not None:
        return own
    return 413 if isinstance(error, RequestTooLarge) else HTTP_STATUS[error.code]


def _plain(error: MeshError) -> dict[str, Any]:
    return {
        "code": error.code.name,
        "message": error.message,
        "reason": error.reason_name(),
        "details": list(_details(to_status(error).details)),
    }


def _details(details: Sequence[AnyMessage]) -> Iterator[dict[str, Any]]:
    for detail in details:
        known = next((kind for kind in _TOLD if detail.Is(kind.DESCRIPTOR)), None)
        if known is not None:
            message = MessageToDict(known.FromString(detail.value), preserving_proto_field_name=True)
            if not _LEAK.search(str(message)):
                yield {"@type": detail.type_url, **message}


def _openai(error: MeshError, status: int) -> dict[str, Any]:
    violations, resource = error.details.violations, error.details.resource
    code = error.reason_name().lower()
    if resource is not None and resource[0].isidentifier():
        # OpenAI names what is missing: model_not_found
        code = code.replace("resource", resource[0])
    kind = "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")
    return {
        "message": error.message,
        "type": kind,
        "param": violations[0].path if violations else None,
        "code": code,
    }


def _headers(error: MeshError, status: int) -> Headers:
    headers: Headers = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    if isinstance(error, InvalidCredentials) or status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="llamastack"'))
    if status in _UNREAD:
        headers.append((b"connection", b"close"))
    if isinstance(error, VerbNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    return headers
