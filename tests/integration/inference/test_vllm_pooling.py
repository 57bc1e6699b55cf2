"""Pooling models on vLLM: tiny real checkpoints, and what transformers computes from the same weights."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mesh.errors import NotSupported
from services.inference.engine import EngineInfo, ModelKind, TextPair
from services.inference.engines.vllm import VllmEngine
from services.inference.engines.vllm_launch import VllmSettings
from tests.tiny_model import TINY, make_checkpoint

# what vLLM's own imports warn of is not ours, nor the sockets' context that it leaves to the garbage collection
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed context:ResourceWarning"),
]

TEXTS = ["short", "a longer text", "the same length"]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Have what an engine leaves collected within its test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@asynccontextmanager
async def running(folder: Path, kind: ModelKind) -> AsyncIterator[tuple[VllmEngine, EngineInfo]]:
    engine = VllmEngine(VllmSettings(str(folder), kind, context_length=256, dtype="float32"))
    try:
        yield engine, await engine.start()
    finally:
        await engine.stop()


async def test_a_decoder_embeds_by_its_last_token(folder: Path) -> None:
    async with running(folder, ModelKind.EMBEDDING) as (engine, info):
        vectors = await engine.embed(TEXTS)
        [by_ids] = (await engine.embed([tuple(TEXTS[0].encode())])).values
        with pytest.raises(NotSupported, match="classify"):
            await engine.score(["a"])
    expected = await asyncio.to_thread(last_states, folder)
    assert (info.kind, info.dimension, info.context_length) == (ModelKind.EMBEDDING, TINY.hidden, 256)
    assert [list(value) for value in vectors.values] == [pytest.approx(row, abs=1e-3) for row in expected]
    assert len(by_ids) == TINY.hidden
    assert vectors.prompt_tokens == sum(map(len, TEXTS))


@pytest.mark.parametrize(("kind", "labels"), [(ModelKind.REWARD, 1), (ModelKind.GUARD, 3)])
async def test_a_head_gives_raw_outputs(folder: Path, tmp_path: Path, kind: ModelKind, labels: int) -> None:
    expected = await asyncio.to_thread(with_head, folder, tmp_path, labels)
    async with running(tmp_path, kind) as (engine, info):
        scores = await engine.score(TEXTS)
        with pytest.raises(NotSupported, match="pairs"):
            await engine.score([TextPair("a", "b")])
        with pytest.raises(NotSupported, match="embed"):
            await engine.embed(["a"])
    assert info.labels == tuple(f"LABEL_{index}" for index in range(labels))
    assert [list(score.logits) for score in scores] == [pytest.approx(row, abs=1e-3) for row in expected]
    assert [score.prompt_tokens for score in scores] == list(map(len, TEXTS))


def last_states(folder: Path) -> list[list[float]]:
    """Return the unit vectors of the last tokens' states."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model: Any = AutoModel.from_pretrained(folder).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        states = [model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0, -1] for text in TEXTS]
        return [torch.nn.functional.normalize(state, dim=0).tolist() for state in states]


def with_head(folder: Path, target: Path, labels: int) -> list[list[float]]:
    """Write the model with a random classification head and return what that gives."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(5)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels)
    model.save_pretrained(target)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(target)
    with torch.inference_mode():
        return [model.eval()(**tokenizer([text], return_tensors="pt")).logits[0].tolist() for text in TEXTS]
