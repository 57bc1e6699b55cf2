"""The one map between MeshError and ``google.rpc.Status``, in both directions.

On the wire an error is a ``google.rpc.Status`` in the trailer ``grpc-status-details-bin`` with ErrorInfo and, where
apt, BadRequest, RetryInfo, QuotaFailure and ResourceInfo (https://cloud.google.com/apis/design/errors). An error that
came from another service is restored with everything it carried, so that it passes any number of hops unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status

from mesh.errors.tree import (
    CLASSES,
    BackendUnavailable,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    Details,
    Internal,
    InvalidCredentials,
    MalformedRequest,
    MeshError,
    MissingScope,
    NotSupported,
    OutOfRange,
    Overloaded,
    RequestTooLarge,
    ResourceBusy,
    ResourceExists,
    ResourceNotFound,
    Violation,
    WrongState,
)

DOMAIN: Final = "llamastack"
STATUS_TRAILER: Final = "grpc-status-details-bin"

_BY_REASON: Final = {cls.reason_name(): cls for cls in CLASSES}
_BY_NUMBER: Final[dict[int, grpc.StatusCode]] = {code.value[0]: code for code in grpc.StatusCode}

# what an error without our ErrorInfo becomes: it comes from the gRPC runtime or from a server of somebody else
_BY_CODE: Final[dict[grpc.StatusCode, type[MeshError]]] = {
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: MalformedRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: ResourceNotFound,
    grpc.StatusCode.ALREADY_EXISTS: ResourceExists,
    grpc.StatusCode.PERMISSION_DENIED: MissingScope,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.FAILED_PRECONDITION: WrongState,
    grpc.StatusCode.ABORTED: ResourceBusy,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRange,
    grpc.StatusCode.UNIMPLEMENTED: NotSupported,
    grpc.StatusCode.UNAVAILABLE: BackendUnavailable,
    grpc.StatusCode.DATA_LOSS: DataLoss,
    grpc.StatusCode.UNAUTHENTICATED: InvalidCredentials,
}
# the runtime's texts for these name addresses and defects of peers, which are no business of a caller
_FIXED_TEXT: Final[dict[grpc.StatusCode, str]] = {
    grpc.StatusCode.UNAVAILABLE: "a service that is needed can't be reached",
    grpc.StatusCode.CANCELLED: "the call was cancelled",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the deadline passed",
    grpc.StatusCode.UNIMPLEMENTED: "the feature is not part of this deployment",
}
CANCELLED_BY_RUNTIME: Final = "CANCELLED"
"""What the gRPC runtime says of calls that it ends of its own accord; a servicer that cancels says what it means."""
# peers refuse metadata beyond 8 KiB unless told otherwise, and base64 adds a third
_TRAILER_LIMIT: Final = 4096
_TEXT_LIMIT: Final = 256
_RETRYABLE: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED}


def to_status(error: MeshError) -> Status:
    """Return the error as ``google.rpc.Status`` with ErrorInfo first and the other standard details after it."""
    details = error.details
    parts: list[Message] = [ErrorInfo(reason=error.reason_name(), domain=DOMAIN, metadata=error.metadata)]
    if details.violations:
        fields = [BadRequest.FieldViolation(field=v.path, description=v.description) for v in details.violations]
        parts.append(BadRequest(field_violations=fields))
    if details.retry_after_s is not None:
        parts.append(RetryInfo(retry_delay=_duration(details.retry_after_s)))
    if details.quota_subject is not None:
        violation = QuotaFailure.Violation(subject=details.quota_subject, description=error.message)
        parts.append(QuotaFailure(violations=[violation]))
    if details.resource is not None:
        kind, name = details.resource
        parts.append(ResourceInfo(resource_type=kind, resource_name=name))
    packed = [_pack(part) for part in parts]
    return Status(code=error.code.value[0], message=error.message, details=[*packed, *details.others])


def trailers(error: MeshError) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata that carries the error, small enough for every peer's limit on metadata."""
    raw = to_status(error).SerializeToString()
    if len(raw) > _TRAILER_LIMIT:
        raw = to_status(_shortened(error)).SerializeToString()
    return ((STATUS_TRAILER, raw),)


def _clip(text: str) -> str:
    """Return a text of a length that fits into a header; one that is too long ends with an ellipsis."""
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 1]}…"


def _shortened(error: MeshError) -> MeshError:
    """Return the error with its first violation alone, without metadata, every text clipped."""
    details = error.details
    kept = Details(
        violations=tuple(Violation(_clip(v.path), _clip(v.description)) for v in details.violations[:1]),
        retry_after_s=details.retry_after_s,
        resource=(_clip(details.resource[0]), _clip(details.resource[1])) if details.resource else None,
        quota_subject=_clip(details.quota_subject) if details.quota_subject else None,
    )
    return _restore(type(error), _clip(error.message), {}, kept)


def from_status(status: Status) -> MeshError:
    """Return the MeshError that a ``google.rpc.Status`` stands for; ``to_status`` of it gives the same status again.

    Without an ErrorInfo of this domain the class follows from the code alone; INTERNAL and UNKNOWN become a fresh
    ``Internal``, because the text of a stranger's defect is not for callers.
    """
    info: ErrorInfo | None = None
    found = Details()
    others: list[AnyMessage] = []
    for packed in status.details:
        candidate = ErrorInfo()
        if info is None and packed.Unpack(candidate) and candidate.domain == DOMAIN:
            info = candidate
        elif (merged := _read(found, packed)) is not None:
            found = merged
        else:
            others.append(packed)
    code = _BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    cls = _BY_REASON.get(info.reason) if info is not None else None
    if cls is None:
        return _from_code(code, status.message, found)
    metadata = dict(info.metadata) if info is not None else {}
    return _restore(cls, status.message, metadata, replace(found, others=tuple(others)))


def status_of(error: grpc.aio.AioRpcError) -> Status | None:
    """Return the ``google.rpc.Status`` that a failed call carries in its trailers, or None if it has none."""
    metadata: Iterable[Any] = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == STATUS_TRAILER and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                return None
    return None


def from_rpc(error: grpc.aio.AioRpcError) -> MeshError:
    """Return the MeshError behind a failed call of a stub, exactly as the callee raised it where it is one of ours.

    Use it as ``raise from_rpc(error) from error``: the cause keeps what the gRPC runtime said, for logs only.
    """
    status = status_of(error)
    if status is not None:
        return from_status(status)
    return _from_code(error.code(), error.details() or "", Details())


def from_exception(error: BaseException) -> MeshError:
    """Return what a caller should hear of any exception: ours as it is, a failed call as its callee meant it.

    Everything else is a fresh ``Internal``; the caller of this function logs the exception under its ``error_id``.
    """
    if isinstance(error, MeshError):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc(error)
    return Internal()


def _from_code(code: grpc.StatusCode, text: str, details: Details) -> MeshError:
    """Return an error for a status without our ErrorInfo."""
    # the runtime refuses a message that is too large with the same code as a full queue
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        return RequestTooLarge("the message is larger than the receiver takes")
    if code is grpc.StatusCode.CANCELLED and text == CANCELLED_BY_RUNTIME:
        code = grpc.StatusCode.UNAVAILABLE
    cls = _BY_CODE.get(code)
    if cls is None:
        return Internal()
    if code in _RETRYABLE and details.retry_after_s is None:
        details = replace(details, retry_after_s=1.0)
    message = _FIXED_TEXT.get(code) or text or code.name.lower().replace("_", " ")
    return _restore(cls, message, {}, details)


def _restore(cls: type[MeshError], message: str, metadata: dict[str, str], details: Details) -> MeshError:
    """Return an error of the class with exactly this content, past the constructors that compose a message."""
    error = cls.__new__(cls)
    MeshError.__init__(error, message, metadata=metadata, details=details)
    return error


def _read(found: Details, packed: AnyMessage) -> Details | None:
    """Return ``found`` with one standard detail added, or None if it is not one that Details has room for."""
    if packed.TypeName() == BadRequest.DESCRIPTOR.full_name and not found.violations:
        fields = BadRequest.FromString(packed.value).field_violations
        return replace(found, violations=tuple(Violation(f.field, f.description) for f in fields))
    if packed.TypeName() == RetryInfo.DESCRIPTOR.full_name and found.retry_after_s is None:
        delay = RetryInfo.FromString(packed.value).retry_delay
        return replace(found, retry_after_s=delay.seconds + delay.nanos / 1e9)
    if packed.TypeName() == QuotaFailure.DESCRIPTOR.full_name and found.quota_subject is None:
        violations = QuotaFailure.FromString(packed.value).violations
        return replace(found, quota_subject=violations[0].subject) if violations else None
    if packed.TypeName() == ResourceInfo.DESCRIPTOR.full_name and found.resource is None:
        info = ResourceInfo.FromString(packed.value)
        return replace(found, resource=(info.resource_type, info.resource_name))
    return None


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _duration(seconds: float) -> Duration:
    whole, nanos = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(seconds=whole, nanos=nanos)
