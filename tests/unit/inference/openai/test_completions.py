"""Completions: several prompts, choices, echo, log probabilities, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llamastack.openai.v1 import completion_pb2 as pb
from llamastack.openai.v1.usage_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    PromptTokensDetails,
    Stop,
    StreamOptions,
    StringList,
    TextInput,
    TokenIds,
    TokenIdsList,
    Usage,
)
from mesh.errors import BackendUnavailable, InvalidField, ResourceNotFound
from services.inference.engine import Prompt, Sampling
from tests.unit.inference.fakes import Answer, ScriptedEngine
from tests.unit.inference.openai.serving import CREATED, failure, serving

DEFAULTS: dict[str, Any] = {"model": "m", "prompt": TextInput(text="Hi")}


def request(**members: Any) -> pb.CompletionRequest:
    return pb.CompletionRequest(**{**DEFAULTS, **members})


def usage(prompts: int, completion: int) -> Usage:
    return Usage(
        prompt_tokens=7 * prompts,
        completion_tokens=completion,
        total_tokens=7 * prompts + completion,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=2 * prompts),
    )


def plain(response: pb.CompletionResponse) -> pb.CompletionResponse:
    """Return a response without what differs from call to call."""
    assert response.id.startswith("cmpl-")
    assert response.system_fingerprint.startswith("fp_")
    response.ClearField("id")
    response.ClearField("system_fingerprint")
    return response


async def joined(stub: Any, wanted: pb.CompletionRequest) -> list[pb.CompletionChoice]:
    """Return the choices that the chunks of a stream add up to."""
    choices: dict[int, pb.CompletionChoice] = {}
    async for chunk in stub.StreamCompletion(wanted):
        for piece in chunk.choices:
            known = choices.setdefault(piece.index, pb.CompletionChoice())
            text = known.text + piece.text
            known.MergeFrom(piece)
            known.text = text
    return [choices[index] for index in sorted(choices)]


async def test_a_text_is_continued(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        response = plain(await stub.Completion(request()))
    assert response == pb.CompletionResponse(
        created=CREATED,
        model="m",
        choices=[pb.CompletionChoice(text="Hello there", finish_reason=FINISH_REASON_STOP)],
        usage=usage(1, 3),
    )


async def test_a_stream_has_the_pieces_the_reason_and_the_usage_if_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        wanted = request(stream_options=StreamOptions(include_usage=True))
        chunks = [plain(chunk) async for chunk in stub.StreamCompletion(wanted)]
        without = [chunk async for chunk in stub.StreamCompletion(request())]
    head = {"created": CREATED, "model": "m"}
    choices = [
        pb.CompletionChoice(text="Hello"),
        pb.CompletionChoice(text=" there"),
        pb.CompletionChoice(finish_reason=FINISH_REASON_STOP),
    ]
    assert chunks == [
        *(pb.CompletionResponse(choices=[choice], **head) for choice in choices),  # type: ignore[arg-type]  # by name
        pb.CompletionResponse(usage=usage(1, 3), **head),  # type: ignore[arg-type]  # by name
    ]
    assert len(without) == 3


@pytest.mark.parametrize(
    ("prompt", "given"),
    [
        (TextInput(text="a"), [Prompt(text="a")]),
        (TextInput(texts=StringList(values=["a", "b"])), [Prompt(text="a"), Prompt(text="b")]),
        (TextInput(tokens=TokenIds(ids=[97, 98])), [Prompt(token_ids=(97, 98))]),
        (
            TextInput(token_lists=TokenIdsList(values=[TokenIds(ids=[97]), TokenIds(ids=[98])])),
            [Prompt(token_ids=(97,)), Prompt(token_ids=(98,))],
        ),
        (None, [Prompt(text="")]),
    ],
)
async def test_every_form_of_a_prompt_reaches_the_engine(
    tmp_path: Path, prompt: TextInput | None, given: list[Prompt]
) -> None:
    engine = ScriptedEngine()
    async with serving(tmp_path, engine) as stub:
        response = await stub.Completion(request(prompt=prompt))
    assert [made.prompt for made in engine.requests] == given
    assert [choice.index for choice in response.choices] == list(range(len(given)))
    assert response.usage == usage(len(given), 3 * len(given))


async def test_choices_are_numbered_by_prompt_and_then_by_choice_whole_and_streamed(tmp_path: Path) -> None:
    engine = ScriptedEngine(answers=[Answer(["x"]), Answer(["y", "z"])])
    prompts = TextInput(texts=StringList(values=["a", "b", "c"]))
    wanted = request(prompt=prompts, n=2, echo=True)
    async with serving(tmp_path, engine) as stub:
        response = await stub.Completion(wanted)
        streamed = await joined(stub, wanted)
    assert [choice.text for choice in response.choices] == ["ax", "ayz", "bx", "byz", "cx", "cyz"]
    assert [choice.index for choice in response.choices] == list(range(6))
    assert streamed == list(response.choices)


async def test_more_prompts_than_run_at_once_are_all_answered(tmp_path: Path) -> None:
    prompts = TextInput(texts=StringList(values=[f"{number} " for number in range(300)]))
    async with serving(tmp_path, ScriptedEngine(answers=[Answer(["x"])])) as stub:
        response = await stub.Completion(request(prompt=prompts, echo=True))
    assert [choice.text for choice in response.choices] == [f"{number} x" for number in range(300)]


async def test_the_defaults_are_those_of_openai(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with serving(tmp_path, engine) as stub:
        await stub.Completion(request())
        await stub.Completion(request(max_tokens=3, stop=Stop(text="!"), logprobs=2, echo=True, seed=-1))
    assert [made.sampling for made in engine.requests] == [
        Sampling(temperature=1.0, top_p=1.0, max_tokens=16),
        Sampling(temperature=1.0, max_tokens=3, stop=("!",), logprobs=2, prompt_logprobs=2, seed=-1),
    ]


def logprobs(*entries: tuple[str, float | None, list[float], int]) -> pb.CompletionLogprobs:
    """Return log probabilities from token, its value, those of the candidates, and the offset."""
    made = pb.CompletionLogprobs()
    for token, value, candidates, offset in entries:
        made.tokens.append(token)
        made.token_logprobs.append(pb.OptionalLogprob() if value is None else pb.OptionalLogprob(value=value))
        made.text_offset.append(offset)
        by_token = {token if rank == 0 else f"{token}{rank}": each for rank, each in enumerate(candidates)}
        made.top_logprobs.append(pb.CandidateLogprobs(values=pb.LogprobByToken(values=by_token) if by_token else None))
    return made


async def test_log_probabilities_tell_where_each_token_begins(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        response = await stub.Completion(request(logprobs=2))
        streamed = await joined(stub, request(logprobs=2))
    expected = logprobs(("Hello", -0.5, [-0.5, -1.5], 0), (" there", -1.0, [-1.0, -2.0], 5))
    assert response.choices[0].logprobs == expected
    assert streamed == list(response.choices)


@pytest.mark.parametrize("prompt", [TextInput(text="abc"), TextInput(tokens=TokenIds(ids=[97, 98, 99]))])
async def test_an_echoed_prompt_has_log_probabilities_but_for_its_first_token(
    tmp_path: Path, prompt: TextInput
) -> None:
    engine = ScriptedEngine(answers=[Answer(["x"])])
    async with serving(tmp_path, engine) as stub:
        response = await stub.Completion(request(prompt=prompt, logprobs=1, echo=True, n=2))
        streamed = await joined(stub, request(prompt=prompt, logprobs=1, echo=True, n=2))
    expected = logprobs(("a", None, [], 0), ("b", -1.0, [-1.0], 1), ("c", -1.0, [-1.0], 2), ("x", -0.5, [-0.5], 3))
    assert [(choice.text, choice.logprobs) for choice in response.choices] == [("abcx", expected)] * 2
    assert streamed == list(response.choices)


async def test_no_tokens_at_all_give_the_prompt_and_its_log_probabilities(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        response = plain(await stub.Completion(request(max_tokens=0, logprobs=1, echo=True)))
    choice = pb.CompletionChoice(
        text="Hi",
        finish_reason=FINISH_REASON_LENGTH,
        logprobs=logprobs(("H", None, [], 0), ("i", -1.0, [-1.0], 1)),
    )
    assert response == pb.CompletionResponse(created=CREATED, model="m", choices=[choice], usage=usage(1, 0))


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 3, "n": 2}, "best_of"),
        ({"logprobs": 21}, "logprobs"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(tmp_path: Path, members: dict[str, Any], path: str) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        error = await failure(stub.Completion(request(**members)))
    assert isinstance(error, InvalidField)
    assert [violation.path for violation in error.details.violations] == [path]


async def test_the_failure_of_one_prompt_ends_them_all(tmp_path: Path) -> None:
    engine = ScriptedEngine(failure=None)
    prompts = TextInput(texts=StringList(values=["a", "b"]))
    async with serving(tmp_path, engine) as stub:
        engine.failure = BackendUnavailable("the engine has died", retry_after_s=5.0)
        error = await failure(stub.StreamCompletion(request(prompt=prompts)))
        unknown = await failure(stub.Completion(request(model="x")))
    assert (type(error), error.message) == (BackendUnavailable, "the engine has died")
    assert isinstance(unknown, ResourceNotFound)
