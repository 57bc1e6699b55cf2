"""Chat completions without tools: answers, streams, settings, log probabilities, errors."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llamastack.openai.v1 import chat_pb2 as pb
from llamastack.openai.v1.chat_message_pb2 import CHAT_ROLE_ASSISTANT, ChatCompletionMessage
from llamastack.openai.v1.chat_tool_pb2 import JsonSchemaFormat
from llamastack.openai.v1.usage_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    SERVICE_TIER_AUTO,
    SERVICE_TIER_DEFAULT,
    PromptTokensDetails,
    Stop,
    StopList,
    StreamOptions,
    Usage,
)
from mesh.errors import (
    BackendUnavailable,
    InvalidField,
    OutOfRange,
    Overloaded,
    QuotaExceeded,
    ResourceNotFound,
    WrongState,
)
from mesh.json_text import value_of
from services.inference.admission import AdmissionLimits
from services.inference.engine import Guidance, GuidanceKind, Sampling
from services.inference.prompt import tokens
from tests.unit.inference.fakes import EMBEDDING, Answer, ScriptedEngine, tokenizer
from tests.unit.inference.openai.serving import CREATED, failure, serving, user

STOP_TOKENS = tuple(tokenizer().token_to_id(name) or 0 for name in tokens.STOP)


def request(**members: object) -> pb.ChatCompletionRequest:
    return pb.ChatCompletionRequest(model="m", messages=[user("Hi")], **members)  # type: ignore[arg-type]  # by name


def usage(completion: int) -> Usage:
    details = PromptTokensDetails(cached_tokens=2)
    return Usage(
        prompt_tokens=7, completion_tokens=completion, total_tokens=7 + completion, prompt_tokens_details=details
    )


async def test_an_answer_has_the_text_the_reason_and_the_usage(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        response = await stub.ChatCompletion(request(metadata={"a": "b"}, service_tier=SERVICE_TIER_AUTO))
    assert response.id.startswith("chatcmpl-")
    assert response.system_fingerprint.startswith("fp_")
    response.ClearField("id")
    response.ClearField("system_fingerprint")
    assert response == pb.ChatCompletionResponse(
        created=CREATED,
        model="m",
        choices=[
            pb.ChatCompletionChoice(
                message=ChatCompletionMessage(content="Hello there"), finish_reason=FINISH_REASON_STOP
            )
        ],
        usage=usage(3),
        service_tier=SERVICE_TIER_DEFAULT,
        metadata={"a": "b"},
    )


async def test_a_stream_has_the_role_first_the_reason_last_and_the_usage_after_it_if_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        wanted = request(stream_options=StreamOptions(include_usage=True))
        chunks = [chunk async for chunk in stub.StreamChatCompletion(wanted)]
    head = pb.ChatCompletionChunk(
        id=chunks[0].id, created=CREATED, model="m", system_fingerprint=chunks[0].system_fingerprint
    )
    pieces = [
        pb.ChatCompletionChunkChoice(delta=pb.ChatCompletionDelta(role=CHAT_ROLE_ASSISTANT, content="")),
        pb.ChatCompletionChunkChoice(delta=pb.ChatCompletionDelta(content="Hello")),
        pb.ChatCompletionChunkChoice(delta=pb.ChatCompletionDelta(content=" there")),
        pb.ChatCompletionChunkChoice(delta=pb.ChatCompletionDelta(), finish_reason=FINISH_REASON_STOP),
    ]
    expected = [pb.ChatCompletionChunk(choices=[piece]) for piece in pieces]
    expected.append(pb.ChatCompletionChunk(usage=usage(3)))
    for chunk in expected:
        chunk.MergeFrom(head)
    assert chunks == expected


async def test_a_stream_has_no_usage_unless_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        chunks = [chunk async for chunk in stub.StreamChatCompletion(request())]
    assert not any(chunk.HasField("usage") for chunk in chunks)


async def test_several_choices_keep_their_texts_apart_whole_and_streamed(tmp_path: Path) -> None:
    engine = ScriptedEngine(answers=[Answer(["a", "b"]), Answer(["c"])])
    async with serving(tmp_path, engine) as stub:
        whole = await stub.ChatCompletion(request(n=3))
        chunks = [chunk async for chunk in stub.StreamChatCompletion(request(n=3))]
    texts = [""] * 3
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content
    assert [choice.message.content for choice in whole.choices] == texts == ["ab", "c", "ab"]
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert whole.usage == usage(8)


async def test_several_greedy_choices_are_one_generation(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with serving(tmp_path, engine) as stub:
        response = await stub.ChatCompletion(request(n=2, temperature=0))
    assert [choice.message.content for choice in response.choices] == ["Hello there"] * 2
    assert response.usage == usage(6)
    assert [made.sampling.n for made in engine.requests] == [1]


async def test_the_defaults_are_those_of_openai(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with serving(tmp_path, engine) as stub:
        await stub.ChatCompletion(request())
    assert engine.requests[0].sampling == Sampling(temperature=1.0, top_p=1.0, stop_token_ids=STOP_TOKENS)


async def test_every_setting_reaches_the_engine(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    wanted = request(
        max_tokens=9,
        max_completion_tokens=5,
        temperature=0.5,
        top_p=0.25,
        n=2,
        stop=Stop(texts=StopList(values=["x", "y"])),
        seed=7,
        presence_penalty=-1,
        frequency_penalty=2,
        logit_bias={"11": -100, "12": 3.5},
        logprobs=True,
        top_logprobs=4,
        top_k=3,
        repetition_penalty=1.5,
        prompt_cache_key="conversation",
        user="ann",
    )
    async with serving(tmp_path, engine) as stub:
        await stub.ChatCompletion(wanted)
    assert engine.requests[0].sampling == Sampling(
        n=2,
        temperature=0.5,
        top_p=0.25,
        top_k=3,
        max_tokens=5,
        repetition_penalty=1.5,
        presence_penalty=-1,
        frequency_penalty=2,
        seed=7,
        stop=("x", "y"),
        stop_token_ids=STOP_TOKENS,
        logit_bias={11: -100, 12: 3.5},
        logprobs=4,
    )
    assert (engine.requests[0].session, engine.requests[0].stream) == ("conversation", False)


async def test_an_answer_that_is_cut_off_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        response = await stub.ChatCompletion(request(max_tokens=1))
    assert (response.choices[0].message.content, response.choices[0].finish_reason) == ("Hello", FINISH_REASON_LENGTH)


async def test_log_probabilities_are_those_of_the_shown_tokens_best_candidates_first(tmp_path: Path) -> None:
    engine = ScriptedEngine(answers=[Answer(["é"])])
    async with serving(tmp_path, engine) as stub:
        whole = await stub.ChatCompletion(request(logprobs=True, top_logprobs=2))
        chunks = [c async for c in stub.StreamChatCompletion(request(logprobs=True, top_logprobs=2))]
        alone = await stub.ChatCompletion(request(logprobs=True))
        without = await stub.ChatCompletion(request())
    encoded = b"\xc3\xa9"
    expected = pb.ChoiceLogprobs(
        content=[
            pb.TokenLogprob(
                token="é",
                logprob=-0.5,
                bytes=encoded,
                top_logprobs=[
                    pb.TopLogprob(token="é", logprob=-0.5, bytes=encoded),
                    pb.TopLogprob(token="é1", logprob=-1.5, bytes=[*encoded, ord("1")]),
                ],
            )
        ]
    )
    assert whole.choices[0].logprobs == expected
    assert [chunk.choices[0].logprobs for chunk in chunks if chunk.choices[0].HasField("logprobs")] == [expected]
    assert list(alone.choices[0].logprobs.content[0].top_logprobs) == []
    assert not without.choices[0].HasField("logprobs")


async def test_a_response_format_restricts_the_answer(tmp_path: Path) -> None:
    engine = ScriptedEngine(answers=[Answer(['{"name": ', '"Ann"}'])])
    schema = value_of(
        {
            "type": "object",
            "properties": {"answer": {"type": "string"}, "why": {"type": "string"}},
            "required": ["why", "answer"],
        }
    ).object_value
    form = JsonSchemaFormat(name="person", schema=schema)
    formats = [
        pb.ResponseFormat(json_schema=pb.ResponseFormatJsonSchema(json_schema=form)),
        pb.ResponseFormat(json_object=pb.ResponseFormatJsonObject()),
        pb.ResponseFormat(text=pb.ResponseFormatText()),
    ]
    async with serving(tmp_path, engine) as stub:
        for wanted in formats:
            response = await stub.ChatCompletion(request(response_format=wanted))
            assert response.choices[0].message == ChatCompletionMessage(content='{"name": "Ann"}')
    text = (
        '{"properties": {"why": {"type": "string"}, "answer": {"type": "string"}}, '
        '"required": ["why", "answer"], "type": "object"}'
    )
    assert [made.guidance for made in engine.requests] == [
        Guidance(GuidanceKind.JSON_SCHEMA, text),
        Guidance(GuidanceKind.JSON_OBJECT),
        None,
    ]


async def test_errors_of_the_catalog_and_the_engine_reach_the_caller_whole_and_streamed(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with serving(tmp_path, engine) as stub:
        unknown = await failure(stub.ChatCompletion(pb.ChatCompletionRequest(model="x", messages=[user("Hi")])))
        too_many = await failure(stub.ChatCompletion(request(n=129)))
        engine.failure = OutOfRange("the prompt is too long")
        long = await failure(stub.StreamChatCompletion(request()))
        engine.failure = BackendUnavailable("the engine has died", retry_after_s=5.0)
        engine.fail_after = 1
        dead = await failure(stub.StreamChatCompletion(request()))
    kinds = [type(error) for error in (unknown, too_many, long, dead)]
    assert kinds == [ResourceNotFound, InvalidField, OutOfRange, BackendUnavailable]
    assert dead.retry_after_s == 5.0


async def test_an_embedding_model_does_not_chat(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine(EMBEDDING)) as stub:
        assert isinstance(await failure(stub.ChatCompletion(request())), WrongState)


async def test_requests_beyond_the_limits_are_refused_with_a_time_to_wait(tmp_path: Path) -> None:
    for limits, kind in ((AdmissionLimits(requests=1), Overloaded), (AdmissionLimits(per_tenant=1), QuotaExceeded)):
        engine = ScriptedEngine(held_open=asyncio.Event())
        async with serving(tmp_path, engine, limits) as stub:
            inside = aiter(stub.StreamChatCompletion(request()))
            await anext(inside)
            refused = await failure(stub.ChatCompletion(request()))
            assert engine.held_open is not None
            engine.held_open.set()
            async for _ in inside:
                pass
            await stub.ChatCompletion(request())
        assert (type(refused), refused.retry_after_s) == (kind, 1.0)


async def test_a_client_that_goes_away_ends_the_generation(tmp_path: Path) -> None:
    engine = ScriptedEngine(held_open=asyncio.Event())
    async with serving(tmp_path, engine) as stub:
        call = stub.StreamChatCompletion(request())
        await anext(aiter(call))
        call.cancel()
        async with asyncio.timeout(5):
            await engine.ended.wait()
    assert engine.aborted == 1
