"""A model that vLLM compiles says what it says otherwise."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.errors import WrongState
from services.inference.engine import Delta, GenerateRequest, Prompt, Sampling
from services.inference.engines.vllm import VllmEngine
from services.inference.engines.vllm_launch import VllmSettings
from tests.tiny_model import make_checkpoint

# what vLLM's own imports warn of is not ours, nor the sockets' context that it leaves to the garbage collection
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed context:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Have what an engine leaves collected within its test."""
    yield
    gc.collect()


async def answer(settings: VllmSettings) -> Delta:
    """Return the end of one request, of eight tokens with their log probabilities."""
    engine = VllmEngine(settings)
    try:
        await engine.start()
        sampling = Sampling(max_tokens=8, logprobs=1)
        request = GenerateRequest("one", Prompt(text="the high plain"), sampling, stream=False)
        [delta] = [delta async for delta in engine.generate(request)]
        return delta
    finally:
        await engine.stop()


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling takes a C++ compiler")
async def test_a_compiled_model_says_the_same(tmp_path: Path) -> None:
    folder = str(make_checkpoint(tmp_path / "tiny"))
    plain, compiled = [
        await answer(VllmSettings(folder, context_length=256, dtype="float32", max_adapters=0, compiled=compiled))
        for compiled in (False, True)
    ]
    assert [token.logprob for token in compiled.logprobs] == pytest.approx(
        [token.logprob for token in plain.logprobs], abs=1e-3
    )
    assert (compiled.text, compiled.usage, compiled.finish) == (plain.text, plain.usage, plain.finish)


async def test_adapters_and_compiling_exclude_each_other_on_a_cpu(tmp_path: Path) -> None:
    folder = str(make_checkpoint(tmp_path / "tiny"))
    with pytest.raises(WrongState, match="set MAX_ADAPTERS to 0"):
        await answer(VllmSettings(folder, dtype="float32", max_adapters=1, compiled=True))
