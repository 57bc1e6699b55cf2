"""Admission refuses at once what there is no room for."""

from __future__ import annotations

import pytest

from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.openai.v1 import chat_pb2, embedding_pb2, usage_pb2
from mesh.errors import Overloaded, QuotaExceeded
from services.inference.admission import Admission, AdmissionLimits, tokens_of


def test_a_full_service_refuses_and_takes_requests_again_when_one_has_left() -> None:
    admission = Admission(AdmissionLimits(requests=2, per_tenant=2, retry_after_s=3.0))
    with admission.enter("a"):
        with admission.enter("b"), pytest.raises(Overloaded) as raised, admission.enter("c"):
            pytest.fail("a third request came in")
        with admission.enter("c"):
            assert admission.inside == 2
    assert raised.value.retry_after_s == 3.0
    assert admission.inside == 0


def test_a_tenant_at_its_limit_leaves_room_for_others() -> None:
    admission = Admission(AdmissionLimits(requests=5, per_tenant=1))
    with admission.enter("a"):
        with pytest.raises(QuotaExceeded) as raised, admission.enter("a"):
            pytest.fail("the tenant came in twice")
        with admission.enter("b"):
            assert admission.inside == 2
    assert raised.value.details.quota_subject == "concurrent requests of tenant a"


def test_a_request_that_fails_leaves_its_place() -> None:
    admission = Admission(AdmissionLimits(requests=1))
    with pytest.raises(ZeroDivisionError), admission.enter("a"):
        raise ZeroDivisionError
    with admission.enter("a"):
        assert admission.inside == 1


def test_who_has_used_the_tokens_of_its_minute_waits_for_more() -> None:
    clock = [0.0]
    admission = Admission(AdmissionLimits(tokens_per_minute=60), lambda: clock[0])
    with admission.enter("a") as visit:
        visit.counted(pb.ChatCompletionResponse(usage=pb.Usage(prompt_tokens=50, completion_tokens=30)))
    with pytest.raises(QuotaExceeded) as raised, admission.enter("a"):
        pytest.fail("the tenant came in without tokens")
    assert (raised.value.details.quota_subject, raised.value.details.retry_after_s) == (
        "tenant:a tokens per minute",
        21,
    )
    with admission.enter("b"):
        pass
    clock[0] += 21
    with admission.enter("a"):
        pass


def test_every_kind_of_answer_tells_its_tokens() -> None:
    usage = pb.Usage(prompt_tokens=2, completion_tokens=3)
    assert [
        tokens_of(pb.CompletionResponse(usage=usage)),
        tokens_of(pb.CompletionResponseStreamChunk(delta="x", usage=usage)),
        tokens_of(pb.ChatCompletionResponseEvent(usage=usage)),
        tokens_of(pb.BatchProgress(response=pb.ChatCompletionResponse(usage=usage))),
        tokens_of(pb.EmbeddingsResponse(usage=usage)),
        tokens_of(pb.ScoreResponse(usage=usage)),
        tokens_of(chat_pb2.ChatCompletionChunk(usage=usage_pb2.Usage(prompt_tokens=2, completion_tokens=3))),
        tokens_of(embedding_pb2.EmbeddingsResponse(usage=embedding_pb2.EmbeddingsUsage(prompt_tokens=5))),
    ] == [5] * 8
    assert tokens_of(pb.BatchProgress(error=pb.BatchItemError())) == 0


def test_a_stream_that_breaks_off_counts_its_pieces() -> None:
    admission = Admission(AdmissionLimits(tokens_per_minute=60))
    with admission.enter("a") as visit:
        for _ in range(7):
            visit.counted(pb.CompletionResponseStreamChunk(delta="x"))
    assert visit.tokens == 7
