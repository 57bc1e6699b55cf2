"""What a model is computed in where its settings leave that to the checkpoint.

That is left to the engine, which takes the checkpoint's own precision (vLLM takes halves for single precision), but for
small models on x86 processors without instructions for bfloat16, where halves are emulated: those are computed in
single precision. With AVX2 alone vLLM 0.32 takes 4.0 times as long for a prompt in bfloat16 and 2.3 times as long for a
step of 8 sequences, though 0.65 of the time for one of a single sequence (measured with a model of 85 million
parameters).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from services.inference.engines.importing import IMPORTING

Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

_FORMS: Final = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_SMALL: Final = 1 / 4
"""The part of the memory that the weights of a small model take at most, in single precision."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container sees the bound of its memory: control groups of version 2, and of version 1."""


@dataclass(frozen=True, slots=True)
class Precision:
    """``dtype`` is what an engine is told to compute in; ``form`` is that of the weights, None where it is the same."""

    dtype: Dtype
    form: str | None = None


def precision_of(checkpoint: Path, quantization: str | None, dtype: Dtype) -> Precision:
    """Return what a model is computed in.

    Args:
        checkpoint: the model's folder; anything else, and weights in another format, is left to the engine.
        quantization: bf16, fp8, int8, or None to leave the weights as they are.
        dtype: float32, bfloat16, float16, or auto.
    """
    if quantization is not None:
        return Precision("bfloat16" if quantization == "bf16" else dtype)
    if dtype != "auto" or not _emulates_halves():
        return Precision(dtype)
    try:
        config = json.loads((checkpoint / "config.json").read_text())
    except (OSError, ValueError):
        return Precision(dtype)
    own = _own(config) if isinstance(config, dict) else "unknown"
    if own not in (*_FORMS, None) or "quantization_config" in config:
        return Precision(dtype)
    size = sum(file.stat().st_size for file in checkpoint.glob("*.safetensors"))
    single = size if own == "float32" else 2 * size
    if not 0 < single <= _SMALL * memory_bytes():
        return Precision(dtype)
    return Precision("float32", None if own is None else form_of(own))


def form_of(dtype: object) -> str:
    """Return the name of the form that weights of one of torch's types are in: bf16 for ``torch.bfloat16``."""
    name = str(dtype).removeprefix("torch.")
    return _FORMS.get(name, name)


def memory_bytes() -> int:
    """Return the memory that this process may take: the machine's, or less where its container is bounded."""
    bounds = [file.read_text().strip() for file in _LIMITS if file.is_file()]
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *(int(bound) for bound in bounds if bound.isdigit())])


def _own(config: dict[str, object]) -> object:
    """Return the precision that a checkpoint's configuration names, which of one with several models is the text's."""
    text = config.get("text_config")
    nested = _own(text) if isinstance(text, dict) else None
    return nested or config.get("dtype") or config.get("torch_dtype")


def _emulates_halves() -> bool:
    """Tell whether models run on an x86 processor that has no instructions for bfloat16."""
    with IMPORTING:
        import torch  # heavy

    if torch.cuda.is_available():
        return False
    able = torch.cpu.get_capabilities()
    return able["architecture"] == "x86_64" and not (able["avx512_bf16"] or able["amx_bf16"])
