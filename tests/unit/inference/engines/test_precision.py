"""What a model is computed in where its settings leave that to the checkpoint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from services.inference.engines import precision
from services.inference.engines.precision import Precision, memory_bytes, precision_of

WEIGHTS = 1000
AVX2 = {"architecture": "x86_64", "avx2": True, "avx512_bf16": False, "amx_bf16": False}
CONFIG = {"architectures": ["LlamaForCausalLM"], "dtype": "bfloat16"}
SMALL, SINGLE, OWN = Precision("float32", "bf16"), Precision("float32", "fp32"), Precision("auto")


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Have a processor with AVX2 alone and memory for eight times the weights; return what it can do, to be changed."""
    able = dict(AVX2)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "memory_bytes", lambda: 8 * WEIGHTS)
    return able


def checkpoint(folder: Path, config: object) -> Path:
    """Write a checkpoint whose weights are in two files."""
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
        (folder / name).write_bytes(bytes(WEIGHTS // 2))
    return folder


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (CONFIG, SMALL),
        ({"torch_dtype": "float16"}, Precision("float32", "fp16")),
        ({"dtype": "float32", "text_config": {"dtype": "bfloat16"}}, SMALL),
        ({"dtype": "float32"}, SINGLE),
        ({}, Precision("float32")),
        ({"dtype": "float8_e4m3fn"}, OWN),
        (CONFIG | {"quantization_config": {"quant_method": "awq"}}, OWN),
    ],
    ids=["bfloat16", "float16", "of its text", "float32", "not told", "float8", "quantized"],
)
def test_a_small_model_is_computed_in_single_precision(tmp_path: Path, config: object, expected: Precision) -> None:
    assert precision_of(checkpoint(tmp_path, config), None, "auto") == expected


@pytest.mark.parametrize("able", ["avx512_bf16", "amx_bf16"])
def test_a_processor_with_instructions_for_bfloat16_computes_in_it(
    tmp_path: Path, processor: dict[str, Any], able: str
) -> None:
    processor[able] = True
    assert precision_of(checkpoint(tmp_path, CONFIG), None, "auto") == OWN


def test_another_architecture_is_left_to_the_engine(tmp_path: Path, processor: dict[str, Any]) -> None:
    processor.clear()
    processor["architecture"] = "aarch64"
    assert precision_of(checkpoint(tmp_path, CONFIG), None, "auto") == OWN


def test_a_gpu_computes_in_the_checkpoint_s_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert precision_of(checkpoint(tmp_path, CONFIG), None, "auto") == OWN


@pytest.mark.parametrize(("dtype", "memory"), [("bfloat16", 8 * WEIGHTS - 1), ("float32", 4 * WEIGHTS - 1)])
def test_weights_that_would_take_much_of_the_memory_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, memory: int
) -> None:
    folder = checkpoint(tmp_path, {"dtype": dtype})
    monkeypatch.setattr(precision, "memory_bytes", lambda: memory + 1)
    assert precision_of(folder, None, "auto").dtype == "float32"
    monkeypatch.setattr(precision, "memory_bytes", lambda: memory)
    assert precision_of(folder, None, "auto") == OWN


def test_weights_in_another_format_are_left_to_the_engine(tmp_path: Path) -> None:
    for file in checkpoint(tmp_path, CONFIG).glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    assert precision_of(tmp_path, None, "auto") == OWN


@pytest.mark.parametrize(
    ("quantization", "dtype", "expected"),
    [
        (None, "bfloat16", Precision("bfloat16")),
        ("bf16", "auto", Precision("bfloat16")),
        ("int8", "auto", OWN),
        ("fp8", "float16", Precision("float16")),
    ],
)
def test_what_is_asked_for_is_done(tmp_path: Path, quantization: str | None, dtype: str, expected: Precision) -> None:
    assert precision_of(checkpoint(tmp_path, CONFIG), quantization, dtype) == expected


@pytest.mark.parametrize("text", [None, "{", "[]"], ids=["missing", "broken", "no object"])
def test_what_can_not_be_read_is_left_to_the_engine(tmp_path: Path, text: str | None) -> None:
    checkpoint(tmp_path, CONFIG)
    (tmp_path / "config.json").unlink()
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    assert precision_of(tmp_path, None, "auto") == OWN


@pytest.mark.parametrize(
    ("bound", "expected"), [("4096\n", 4096), ("max\n", None), ("9" * 18, None)], ids=["bound", "none", "loose"]
)
def test_the_memory_is_what_a_container_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, expected: int | None
) -> None:
    (tmp_path / "memory.max").write_text(bound)
    monkeypatch.setattr(precision, "_LIMITS", (tmp_path / "nowhere", tmp_path / "memory.max"))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory_bytes() == (expected or machine)
