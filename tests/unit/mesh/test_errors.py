"""The error tree and its map to google.rpc.Status and back."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, QuotaFailure, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status

from llamastack.common.v1.error_pb2 import ErrorReason
from mesh import errors
from mesh.errors import MeshError, Violation, from_exception, from_rpc, from_status, to_status, trailers

EXAMPLES: list[MeshError] = [
    errors.InvalidField("messages[2].content", "value is required"),
    errors.InvalidField.of([Violation("a", "too small"), Violation("b", "too large")]),
    errors.MalformedRequest("not JSON", metadata={"position": "17"}),
    errors.RequestTooLarge("over 64 MiB"),
    errors.OutOfRange("the prompt has 9000 tokens, the context 8192"),
    errors.ResourceNotFound("model", "llama"),
    errors.ResourceExists("job", "j1"),
    errors.WrongState("the model is loading"),
    errors.ResourceBusy("the session has a turn", retry_after_s=0.25),
    errors.Overloaded(retry_after_s=3),
    errors.QuotaExceeded("tenant:acme tokens per minute", retry_after_s=60),
    errors.InvalidCredentials(),
    errors.MissingScope("inference:use"),
    errors.BackendUnavailable(retry_after_s=2),
    errors.NotSupported("no GPU here"),
    errors.DeadlineExceeded(),
    errors.Cancelled(),
    errors.Internal("abc123"),
    errors.DataLoss("a checkpoint can't be read"),
]


def packed(status: Status) -> dict[str, AnyMessage]:
    return {detail.TypeName(): detail for detail in status.details}


def failed_call(code: grpc.StatusCode, details: str, status: Status | None = None) -> grpc.aio.AioRpcError:
    pairs = () if status is None else ((errors.STATUS_TRAILER, status.SerializeToString()),)
    return grpc.aio.AioRpcError(code, trailing_metadata=grpc.aio.Metadata(*pairs), details=details)


def test_every_reason_of_the_contract_has_one_class_and_every_class_a_reason() -> None:
    reasons = [cls.reason for cls in errors.CLASSES]
    assert sorted(reasons) == sorted(set(ErrorReason.values()) - {ErrorReason.ERROR_REASON_UNSPECIFIED})


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.reason_name())
def test_an_error_comes_back_as_it_was_sent(error: MeshError) -> None:
    status = to_status(error)
    back = from_status(status)
    assert type(back) is type(error)
    assert (back.message, back.metadata, back.details) == (error.message, error.metadata, error.details)
    assert to_status(back) == status


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.reason_name())
def test_an_error_names_its_reason_in_the_domain(error: MeshError) -> None:
    info = ErrorInfo()
    status = to_status(error)
    status.details[0].Unpack(info)
    assert info == ErrorInfo(reason=error.reason_name(), domain="llamastack", metadata=error.metadata)
    assert (status.code, status.message) == (error.code.value[0], error.message)


def test_the_standard_details_are_where_they_belong() -> None:
    field = BadRequest()
    packed(to_status(errors.InvalidField("a.b", "no")))["google.rpc.BadRequest"].Unpack(field)
    assert field == BadRequest(field_violations=[BadRequest.FieldViolation(field="a.b", description="no")])
    retry = RetryInfo()
    packed(to_status(errors.Overloaded(retry_after_s=1.5)))["google.rpc.RetryInfo"].Unpack(retry)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 500_000_000)
    quota = QuotaFailure()
    packed(to_status(errors.QuotaExceeded("tenant:a")))["google.rpc.QuotaFailure"].Unpack(quota)
    assert quota.violations[0].subject == "tenant:a"
    resource = ResourceInfo()
    packed(to_status(errors.ResourceNotFound("model", "m")))["google.rpc.ResourceInfo"].Unpack(resource)
    assert resource == ResourceInfo(resource_type="model", resource_name="m")


def test_details_of_unknown_types_pass_through() -> None:
    status = to_status(errors.WrongState("no"))
    status.details.add().Pack(Help(links=[Help.Link(url="https://example.com")]))
    assert to_status(from_status(status)) == status


def test_a_reason_of_a_later_version_falls_back_to_its_code() -> None:
    status = Status(code=5, message="gone")
    status.details.add().Pack(ErrorInfo(reason="NEW_REASON", domain="llamastack"))
    assert type(from_status(status)) is errors.ResourceNotFound


def test_an_error_info_of_another_domain_is_not_taken_for_ours() -> None:
    status = Status(code=3, message="bad")
    status.details.add().Pack(ErrorInfo(reason="INTERNAL", domain="example.com"))
    assert type(from_status(status)) is errors.MalformedRequest


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_a_strangers_error_keeps_its_code(code: grpc.StatusCode) -> None:
    error = from_rpc(failed_call(code, "said so"))
    expected = grpc.StatusCode.INTERNAL if code is grpc.StatusCode.UNKNOWN else code
    assert error.code is expected


def test_a_call_that_a_stopping_runtime_ended_may_be_made_again() -> None:
    error = from_rpc(failed_call(grpc.StatusCode.CANCELLED, "CANCELLED"))
    assert (error.code, error.details.retry_after_s) == (grpc.StatusCode.UNAVAILABLE, 1.0)


def test_the_runtimes_text_about_addresses_is_not_passed_on() -> None:
    error = from_rpc(failed_call(grpc.StatusCode.UNAVAILABLE, "failed to connect to ipv4:10.0.0.7:5000"))
    assert type(error) is errors.BackendUnavailable
    assert (error.message, error.retry_after_s) == ("a service that is needed can't be reached", 1.0)


def test_a_strangers_defect_is_not_passed_on() -> None:
    error = from_rpc(failed_call(grpc.StatusCode.UNKNOWN, "Traceback: /srv/app.py"))
    assert "srv" not in error.message
    assert isinstance(error, errors.Internal)
    assert error.error_id in error.message


def test_broken_details_are_as_none() -> None:
    call = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND,
        trailing_metadata=grpc.aio.Metadata((errors.STATUS_TRAILER, b"\xff\xff")),
        details="gone",
    )
    error = from_rpc(call)
    assert (type(error), error.message) == (errors.ResourceNotFound, "gone")


def test_any_other_exception_is_internal_without_its_text() -> None:
    error = from_exception(ValueError("/secret/path"))
    assert isinstance(error, errors.Internal)
    assert "secret" not in str(to_status(error))
    assert error.error_id in error.message


def test_an_error_too_large_for_a_trailer_is_shortened_to_its_core() -> None:
    many = errors.InvalidField.of([Violation(f"items[{n}].{'x' * 90}", "y" * 900) for n in range(100)])
    ((key, raw),) = trailers(many)
    assert key == errors.STATUS_TRAILER
    assert len(raw) <= 4096
    back = from_status(Status.FromString(raw))
    assert type(back) is errors.InvalidField
    assert back.details.violations[0].path == many.details.violations[0].path


def test_even_one_huge_violation_keeps_the_reason() -> None:
    ((_, raw),) = trailers(errors.InvalidField("p" * 9000, "d" * 9000))
    assert type(from_status(Status.FromString(raw))) is errors.InvalidField
    ((_, raw),) = trailers(errors.ResourceNotFound("model", "n" * 9000, metadata={"k": "v" * 9000}))
    assert type(from_status(Status.FromString(raw))) is errors.ResourceNotFound
