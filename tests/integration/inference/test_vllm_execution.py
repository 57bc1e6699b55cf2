"""A model that vLLM compiles, or divides over processes, says what it says otherwise."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

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
    """Return what a model says that is loaded for it."""
    engine = VllmEngine(settings)
    try:
        await engine.start()
        return await ask(engine)
    finally:
        await engine.stop()


async def ask(engine: VllmEngine) -> Delta:
    """Return the end of one request, of eight tokens with their log probabilities."""
    sampling = Sampling(max_tokens=8, logprobs=1)
    request = GenerateRequest("one", Prompt(text="the high plain"), sampling, stream=False)
    [delta] = [delta async for delta in engine.generate(request)]
    return delta


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_checkpoint(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def plain(folder: str) -> Delta:
    """What the engine answers as it runs without a GPU."""
    return asyncio.run(answer(VllmSettings(folder, context_length=256, dtype="float32", max_adapters=0)))


def check(delta: Delta, plain: Delta) -> None:
    """Hold an answer against the plain one, up to rounding."""
    wanted = [token.logprob for token in plain.logprobs]
    assert [token.logprob for token in delta.logprobs] == pytest.approx(wanted, abs=1e-3)
    assert (delta.text, delta.usage, delta.finish) == (plain.text, plain.usage, plain.finish)


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling takes a C++ compiler")
async def test_a_compiled_model_says_the_same(folder: str, plain: Delta) -> None:
    settings = VllmSettings(folder, context_length=256, dtype="float32", max_adapters=0, compiled=True)
    check(await answer(settings), plain)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="each process takes a processor of its own")
async def test_a_model_divided_over_two_processes_says_the_same(
    folder: str, plain: Delta, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = sorted(os.sched_getaffinity(0))
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", f"{first}|{second}")
    check(await answer(VllmSettings(folder, context_length=256, dtype="float32", tensor_parallel=2)), plain)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU emulates nothing")
async def test_a_small_model_is_computed_in_single_precision_where_halves_are_emulated(
    folder: str, plain: Delta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    able = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    halves = Path(shutil.copytree(folder, tmp_path / "halves"))
    config = json.loads((halves / "config.json").read_text())
    (halves / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    engine = VllmEngine(VllmSettings(str(halves), context_length=256, max_adapters=0))
    try:
        assert (await engine.start()).quantization == "bf16"
        check(await ask(engine), plain)
    finally:
        await engine.stop()


async def test_adapters_and_compiling_exclude_each_other_on_a_cpu(folder: str) -> None:
    with pytest.raises(WrongState, match="set MAX_ADAPTERS to 0"):
        await answer(VllmSettings(folder, dtype="float32", max_adapters=1, compiled=True))
