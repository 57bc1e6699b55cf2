"""The engine on transformers with a tiny random Llama: what it generates, and how requests share it."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from mesh.errors import BackendUnavailable, NotSupported, OutOfRange, WrongState
from services.inference.engine import (
    Delta,
    EngineInfo,
    FinishReason,
    GenerateRequest,
    Guidance,
    GuidanceKind,
    ModelKind,
    Prompt,
    Sampling,
    TextPair,
    Usage,
)
from services.inference.engines.transformers import TransformersEngine, TransformersSettings
from tests.cross_encoder import make_cross_encoder
from tests.tiny_model import CONTEXT, ENDS, make_checkpoint

SECONDS = 60.0
PROMPT = tuple(b"once upon a time")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[TransformersEngine]:
    made = TransformersEngine(TransformersSettings(str(folder), max_sequences=4))
    await made.start()
    yield made
    await made.stop()


def reference(folder: Path, count: int, prompt: Sequence[int] = PROMPT, **settings: Any) -> list[int]:
    """Return the greedy continuation that transformers itself generates."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([list(prompt)])
    mask = torch.ones_like(ids)
    output = model.generate(ids, attention_mask=mask, max_new_tokens=count, do_sample=False, **settings)
    return list(output[0, len(prompt) :].tolist())


def request(sampling: Sampling | None = None, prompt: Sequence[int] = PROMPT, **settings: Any) -> GenerateRequest:
    asked = Prompt(token_ids=tuple(prompt))
    return GenerateRequest("r", asked, sampling or Sampling(max_tokens=12), **settings)


async def collect(engine: TransformersEngine, asked: GenerateRequest) -> list[Delta]:
    async with asyncio.timeout(SECONDS):
        return [delta async for delta in engine.generate(asked)]


def tokens(deltas: Sequence[Delta], index: int = 0) -> list[int]:
    return [token for delta in deltas if delta.index == index for token in delta.token_ids]


def text(deltas: Sequence[Delta], index: int = 0) -> str:
    return "".join(delta.text for delta in deltas if delta.index == index)


async def test_it_tells_what_it_is(folder: Path) -> None:
    engine = TransformersEngine(TransformersSettings(str(folder), context_length=100))
    info = await engine.start()
    await engine.stop()
    assert info == EngineInfo("transformers", ModelKind.LLM, 100, "fp32")
    with pytest.raises(BackendUnavailable):
        await engine.check()


async def test_greedy_tokens_are_those_of_transformers_alone_and_among_others(
    folder: Path, engine: TransformersEngine
) -> None:
    prompts = [PROMPT, tuple(b"the end"), tuple(b"a"), tuple(b"what?"), tuple(b"sixth"), tuple(b"seventh")]
    asked = [request(Sampling(max_tokens=20 + length), prompt) for length, prompt in enumerate(prompts)]
    alone = await collect(engine, asked[0])
    together = await asyncio.gather(*(collect(engine, one) for one in asked))
    expected = [reference(folder, 20 + length, prompt) for length, prompt in enumerate(prompts)]
    assert tokens(alone) == expected[0]
    assert [tokens(deltas) for deltas in together] == expected
    assert engine.running() == 0


async def test_a_stream_ends_with_its_reason_and_counts(folder: Path, engine: TransformersEngine) -> None:
    deltas = await collect(engine, request(Sampling(max_tokens=5)))
    ids = reference(folder, 5)
    assert (deltas[-1].finish, deltas[-1].stop) == (FinishReason.LENGTH, None)
    assert deltas[-1].usage == Usage(len(PROMPT), 5)
    assert await engine.detokenize(ids) in {text(deltas), f"{text(deltas)}\ufffd"}


async def test_without_a_stream_each_choice_is_one_delta(engine: TransformersEngine) -> None:
    deltas = await collect(engine, request(Sampling(n=3, max_tokens=6, temperature=1.0, seed=7), stream=False))
    assert sorted(delta.index for delta in deltas) == [0, 1, 2]
    assert [len(delta.token_ids) for delta in deltas] == [6, 6, 6]
    assert all(delta.finish is FinishReason.LENGTH for delta in deltas)
    assert len({tuple(delta.token_ids) for delta in deltas}) == 3


async def test_a_stop_token_ends_the_sequence_and_is_no_text(folder: Path, engine: TransformersEngine) -> None:
    ids = reference(folder, 12)
    last = next(position for position in range(3, 12) if ids[position] not in ids[:position])
    deltas = await collect(engine, request(Sampling(max_tokens=12, stop_token_ids=(ids[last],))))
    assert tokens(deltas) == ids[: last + 1]
    assert (deltas[-1].finish, deltas[-1].stop, deltas[-1].text) == (FinishReason.STOP, ids[last], "")


async def test_the_models_own_end_has_no_stop(engine: TransformersEngine) -> None:
    sampling = Sampling(max_tokens=12, logit_bias={ENDS[0]: 1000.0})
    deltas = await collect(engine, request(sampling))
    assert tokens(deltas) == [ENDS[0]]
    assert (deltas[-1].finish, deltas[-1].stop, text(deltas)) == (FinishReason.STOP, None, "")


async def test_a_stop_string_ends_the_text_before_it(folder: Path, engine: TransformersEngine) -> None:
    biased = dict.fromkeys((), 1000.0) or {65: 50.0, 66: 50.0}
    sampling = Sampling(max_tokens=40, temperature=1.0, seed=3, logit_bias=biased)
    free = text(await collect(engine, request(sampling)))
    stop = free[10:13]
    cut = Sampling(max_tokens=40, temperature=1.0, seed=3, logit_bias=biased, stop=(stop,))
    deltas = await collect(engine, request(cut))
    assert text(deltas) == free[: free.index(stop)]
    assert (deltas[-1].finish, deltas[-1].stop) == (FinishReason.STOP, stop)


async def test_a_seed_repeats_and_another_differs(engine: TransformersEngine) -> None:
    def sampled(seed: int) -> GenerateRequest:
        return request(Sampling(max_tokens=16, temperature=1.0, top_p=0.9, top_k=50, seed=seed))

    first, again, other = [tokens(await collect(engine, sampled(seed))) for seed in (1, 1, 2)]
    assert first == again
    assert first != other


async def test_top_k_of_one_is_greedy(folder: Path, engine: TransformersEngine) -> None:
    deltas = await collect(engine, request(Sampling(max_tokens=12, temperature=1.0, top_k=1)))
    tiny = await collect(engine, request(Sampling(max_tokens=12, temperature=1.0, top_p=1e-6)))
    assert tokens(deltas) == tokens(tiny) == reference(folder, 12)


async def test_log_probabilities_are_those_of_the_model(folder: Path, engine: TransformersEngine) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    deltas = await collect(engine, request(Sampling(max_tokens=3, logprobs=2, prompt_logprobs=0)))
    ids = [*PROMPT, *tokens(deltas)]
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    with torch.inference_mode():
        rows = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = [float(rows[position, token]) for position, token in enumerate(ids[1:])]
    generated = [entry for delta in deltas for entry in delta.logprobs]
    prompt = deltas[0].prompt_logprobs
    assert prompt[0] is None
    assert [entry.logprob for entry in prompt if entry] == pytest.approx(expected[: len(PROMPT) - 1], abs=1e-4)
    assert [entry.logprob for entry in generated] == pytest.approx(expected[len(PROMPT) - 1 :], abs=1e-4)
    best = rows[len(PROMPT) - 1].topk(2).values.tolist()
    assert [value for _, value in generated[0].candidates] == pytest.approx(best, abs=1e-4)


async def test_a_repetition_penalty_works_as_in_transformers(folder: Path, engine: TransformersEngine) -> None:
    deltas = await collect(engine, request(Sampling(max_tokens=24, repetition_penalty=1.5)))
    assert tokens(deltas) == reference(folder, 24, repetition_penalty=1.5)
    assert tokens(deltas) != reference(folder, 24)


async def test_a_closed_iterator_aborts_its_request(engine: TransformersEngine) -> None:
    async with aclosing(engine.generate(request(Sampling(max_tokens=CONTEXT)))) as deltas:
        await anext(deltas)
        assert engine.running() == 1
    assert engine.running() == 0
    assert len(tokens(await collect(engine, request()))) == 12


async def test_a_short_request_overtakes_a_long_one(engine: TransformersEngine) -> None:
    async with aclosing(engine.generate(request(Sampling(max_tokens=1500)))) as long:
        await anext(long)
        short = await collect(engine, request())
        last = await anext(long)
    assert len(tokens(short)) == 12
    assert last.finish is None


async def test_the_most_urgent_waiting_request_goes_first(folder: Path) -> None:
    engine = TransformersEngine(TransformersSettings(str(folder), max_sequences=1))
    await engine.start()
    order: list[str] = []

    async def one(name: str, priority: int) -> None:
        await collect(engine, request(Sampling(max_tokens=30), priority=priority))
        order.append(name)

    tasks = [asyncio.create_task(one(name, priority)) for name, priority in (("a", 0), ("b", 5), ("c", -5), ("d", 5))]
    await asyncio.gather(*tasks)
    await engine.stop()
    assert order == ["c", "a", "b", "d"]


async def test_what_does_not_fit_or_is_not_there_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(OutOfRange):
        await collect(engine, request(prompt=[65] * CONTEXT))
    with pytest.raises(NotSupported):
        await collect(engine, request(guidance=Guidance(GuidanceKind.REGEX, "a")))
    with pytest.raises(NotSupported):
        await engine.score(["x"])
    with pytest.raises(WrongState):
        await TransformersEngine(TransformersSettings("/nowhere", quantization="fp8")).start()
    with pytest.raises(WrongState):
        await TransformersEngine(TransformersSettings("/nowhere")).start()


async def test_the_context_ends_a_text(engine: TransformersEngine) -> None:
    deltas = await collect(engine, request(Sampling(logit_bias={65: 1000.0}), prompt=[65] * (CONTEXT - 3)))
    assert (tokens(deltas), deltas[-1].finish) == ([65] * 3, FinishReason.LENGTH)


async def test_an_engine_that_is_stopped_or_dies_ends_its_requests(folder: Path) -> None:
    engine = TransformersEngine(TransformersSettings(str(folder)))
    await engine.start()
    stopped = engine.generate(request(Sampling(max_tokens=CONTEXT)))
    await anext(stopped)
    await engine.stop()
    with pytest.raises(BackendUnavailable):
        _ = [delta async for delta in stopped]


async def test_a_defect_of_the_model_ends_the_engine(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from services.inference.engines.causal_model import Generation

    def broken(_: Generation) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Generation, "advance", broken)
    with pytest.raises(BackendUnavailable):
        await collect(engine, request())
    with pytest.raises(BackendUnavailable):
        await engine.check()
    assert "out of memory" in caplog.text


async def test_a_cross_encoder_reads_pairs_in_two_segments(tmp_path: Path) -> None:
    import torch

    model, tokenizer = make_cross_encoder(tmp_path)
    engine = TransformersEngine(TransformersSettings(str(tmp_path), ModelKind.REWARD))
    await engine.start()
    pairs = [("red roof", "the roof is red"), ("blue sea", "a dog runs"), ("sea", "the sea is blue and wide")]
    scores = await engine.score([TextPair(*pair) for pair in pairs])
    await engine.stop()
    with torch.inference_mode():
        single = [model(**tokenizer(*pair, return_tensors="pt")).logits[0].tolist() for pair in pairs]
        joined = model(**tokenizer("[SEP]".join(pairs[0]), return_tensors="pt")).logits[0].tolist()
    assert [list(score.logits) for score in scores] == [pytest.approx(row, abs=1e-4) for row in single]
    assert single[0] != pytest.approx(joined, abs=1e-4)


async def test_a_reward_model_gives_raw_outputs(folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(5)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3)
    model.save_pretrained(tmp_path)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(tmp_path)
    engine = TransformersEngine(TransformersSettings(str(tmp_path), ModelKind.REWARD))
    info = await engine.start()
    texts = ["short", "a longer text"] * 5
    scores = await engine.score(texts)
    await engine.stop()
    with torch.inference_mode():
        single = [model.eval()(**tokenizer([one], return_tensors="pt")).logits[0].tolist() for one in texts]
    assert info.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert [list(score.logits) for score in scores] == [pytest.approx(row, abs=1e-4) for row in single]
    assert [score.prompt_tokens for score in scores] == [len(one) for one in texts]
    assert not any(math.isnan(value) for score in scores for value in score.logits)


async def test_halves_are_computed_in_single_precision_where_they_are_emulated(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    halves, whole = (Path(shutil.copytree(folder, tmp_path / name)) for name in ("halves", "whole"))
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(halves)
    model.float().save_pretrained(whole)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    able = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    said = []
    for name in (halves, whole):
        engine = TransformersEngine(TransformersSettings(str(name)))
        try:
            form = (await engine.start()).quantization
            deltas = await collect(engine, request(Sampling(max_tokens=8, logprobs=1)))
        finally:
            await engine.stop()
        said.append((form, [token.logprob for delta in deltas for token in delta.logprobs]))
    assert said == [("bf16", pytest.approx(said[1][1], abs=1e-5)), ("fp32", said[1][1])]
