"""The one error type of the mesh.

The tree, with the canonical code that each class stands for::

    MeshError
    |- InvalidField         INVALID_ARGUMENT     a field has a bad value
    |- MalformedRequest     INVALID_ARGUMENT     the request can't be read at all
    |- RequestTooLarge      INVALID_ARGUMENT     the request is larger than the server takes
    |- OutOfRange           OUT_OF_RANGE         a position past the end, a prompt longer than the context
    |- ResourceNotFound     NOT_FOUND            the resource does not exist or is not the caller's
    |- ResourceExists       ALREADY_EXISTS       another resource has that id
    |- WrongState           FAILED_PRECONDITION  the resource is not in the state that the call needs
    |- ResourceBusy         ABORTED              somebody else is at work on the resource
    |- Overloaded           RESOURCE_EXHAUSTED   the service has all the work it takes
    |- QuotaExceeded        RESOURCE_EXHAUSTED   the caller's quota is used up
    |- InvalidCredentials   UNAUTHENTICATED      no credentials or bad ones
    |- MissingScope         PERMISSION_DENIED    the caller lacks a scope
    |- BackendUnavailable   UNAVAILABLE          something that is needed can't be reached
    |- NotSupported         UNIMPLEMENTED        the feature is not part of this deployment
    |- DeadlineExceeded     DEADLINE_EXCEEDED    the caller's deadline passed
    |- Cancelled            CANCELLED            the caller went away or cancelled
    |- Internal             INTERNAL             a defect, known to the outside by an id alone
    `- DataLoss             DATA_LOSS            stored data can't be read back

Domain code raises these and nothing else for what a caller should hear of; interceptors translate. This module knows
neither the wire, nor logs, nor HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import uuid4

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage

from llamastack.common.v1.error_pb2 import ErrorReason

_PREFIX: Final = "ERROR_REASON_"


@dataclass(frozen=True, slots=True)
class Violation:
    """One bad field: its path as in ``messages[2].content`` and what is wrong or was expected there."""

    path: str
    description: str


@dataclass(frozen=True, slots=True)
class Details:
    """What an error says besides its message; all of it survives any number of hops.

    ``retry_after_s`` is seconds. ``others`` are details of types that this module does not know.
    """

    violations: tuple[Violation, ...] = ()
    retry_after_s: float | None = None
    resource: tuple[str, str] | None = None
    quota_subject: str | None = None
    others: tuple[AnyMessage, ...] = ()


class MeshError(Exception):
    """Something that a caller is told about; see the tree above for the subclass to raise.

    Args:
        message: one sentence for a human, safe to show to any caller: no paths, addresses or secrets.
        metadata: further machine-readable facts for ErrorInfo.metadata.
        details: the standard details.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    reason: ClassVar[ErrorReason.ValueType] = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(
        self, message: str, *, metadata: Mapping[str, str] | None = None, details: Details | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: dict[str, str] = dict(metadata or {})
        self.details = details or Details()

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which a repetition may succeed; None if that is not known."""
        return self.details.retry_after_s

    @classmethod
    def reason_name(cls) -> str:
        """Return the reason as ErrorInfo spells it, for example ``INVALID_FIELD``."""
        return ErrorReason.Name(cls.reason).removeprefix(_PREFIX)


class InvalidField(MeshError):
    """A field has a bad value; ``path`` is as in ``messages[2].content``, ``expected`` says what belongs there."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD

    def __init__(self, path: str, expected: str, *, metadata: Mapping[str, str] | None = None) -> None:
        message = f"{path}: {expected}"
        super().__init__(message, metadata=metadata, details=Details(violations=(Violation(path, expected),)))

    @classmethod
    def of(cls, violations: Sequence[Violation]) -> InvalidField:
        """Return one error for several bad fields; the message names the first one."""
        first = violations[0]
        error = cls(first.path, first.description)
        error.details = Details(violations=tuple(violations))
        return error


class MalformedRequest(MeshError):
    """The request can't be read at all."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_MALFORMED_REQUEST


class RequestTooLarge(MeshError):
    """The request is larger than the server takes."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_REQUEST_TOO_LARGE


class OutOfRange(MeshError):
    """A position is past the end, a page token points nowhere, a prompt is longer than the context."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = ErrorReason.ERROR_REASON_OUT_OF_RANGE


class _AboutResource(MeshError):
    """An error about one resource: ``kind`` as in ``model``, ``name`` is its id."""

    _sentence: ClassVar[str]

    def __init__(
        self, kind: str, name: str, message: str | None = None, *, metadata: Mapping[str, str] | None = None
    ) -> None:
        text = message or self._sentence.format(kind=kind, name=name)
        super().__init__(text, metadata=metadata, details=Details(resource=(kind, name)))


class ResourceNotFound(_AboutResource):
    """The resource does not exist, or is not the caller's; the two can't be told apart by a caller."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND
    _sentence = "{kind} {name!r} does not exist"


class ResourceExists(_AboutResource):
    """Another resource has that id."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.ERROR_REASON_RESOURCE_EXISTS
    _sentence = "{kind} {name!r} exists already and is a different one"


class WrongState(MeshError):
    """The resource or the system is not in the state that the call needs."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.ERROR_REASON_WRONG_STATE


class _Retryable(MeshError):
    """An error that may be gone after ``retry_after_s`` seconds (default 1)."""

    _default: ClassVar[str]

    def __init__(
        self, message: str | None = None, *, retry_after_s: float = 1.0, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message or self._default, metadata=metadata, details=Details(retry_after_s=retry_after_s))


class ResourceBusy(_Retryable):
    """Somebody else is at work on the resource."""

    code = grpc.StatusCode.ABORTED
    reason = ErrorReason.ERROR_REASON_RESOURCE_BUSY
    _default = "the resource is in use by another call"


class Overloaded(_Retryable):
    """The service has all the work it takes."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_OVERLOADED
    _default = "the service has all the work that it takes"


class BackendUnavailable(_Retryable):
    """A service or an engine that is needed can't be reached."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = ErrorReason.ERROR_REASON_BACKEND_UNAVAILABLE
    _default = "a service that is needed can't be reached"


class QuotaExceeded(MeshError):
    """The quota of ``subject`` (as in ``tenant:acme tokens per minute``) is used up for ``retry_after_s`` seconds."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_QUOTA_EXCEEDED

    def __init__(
        self,
        subject: str,
        message: str | None = None,
        *,
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        details = Details(retry_after_s=retry_after_s, quota_subject=subject)
        super().__init__(message or f"the quota of {subject} is used up", metadata=metadata, details=details)


class InvalidCredentials(MeshError):
    """There are no credentials, or they are not valid; the message does not say which part is wrong."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = ErrorReason.ERROR_REASON_INVALID_CREDENTIALS

    def __init__(
        self, message: str = "valid credentials are needed", *, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, metadata=metadata)


class MissingScope(MeshError):
    """The caller is known but lacks ``scope``, as in ``inference:use``."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = ErrorReason.ERROR_REASON_MISSING_SCOPE

    def __init__(self, scope: str, message: str | None = None, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message or f"the scope {scope} is needed", metadata={"scope": scope, **(metadata or {})})


class NotSupported(MeshError):
    """The feature is not part of this deployment."""

    code = grpc.StatusCode.UNIMPLEMENTED
    reason = ErrorReason.ERROR_REASON_NOT_SUPPORTED


class DeadlineExceeded(MeshError):
    """The caller's deadline passed."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED

    def __init__(self, message: str = "the deadline passed", *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message, metadata=metadata)


class Cancelled(MeshError):
    """The caller went away or cancelled."""

    code = grpc.StatusCode.CANCELLED
    reason = ErrorReason.ERROR_REASON_CANCELLED

    def __init__(self, message: str = "the call was cancelled", *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message, metadata=metadata)


class Internal(MeshError):
    """A defect; ``error_id`` (made up if not given) is all that a caller learns, and the log has it too."""

    code = grpc.StatusCode.INTERNAL
    reason = ErrorReason.ERROR_REASON_INTERNAL

    def __init__(self, error_id: str | None = None, *, metadata: Mapping[str, str] | None = None) -> None:
        made = error_id or uuid4().hex[:12]
        super().__init__(f"an internal error occurred (id {made})", metadata={"error_id": made, **(metadata or {})})

    @property
    def error_id(self) -> str:
        """The id under which the log of the service that failed tells what happened."""
        return self.metadata.get("error_id", "")


class DataLoss(MeshError):
    """Stored data can't be read back."""

    code = grpc.StatusCode.DATA_LOSS
    reason = ErrorReason.ERROR_REASON_DATA_LOSS


CLASSES: Final[tuple[type[MeshError], ...]] = (
    InvalidField,
    MalformedRequest,
    RequestTooLarge,
    OutOfRange,
    ResourceNotFound,
    ResourceExists,
    WrongState,
    ResourceBusy,
    Overloaded,
    QuotaExceeded,
    InvalidCredentials,
    MissingScope,
    BackendUnavailable,
    NotSupported,
    DeadlineExceeded,
    Cancelled,
    Internal,
    DataLoss,
)
