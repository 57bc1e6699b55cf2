"""The model that is trained: base weights, quantized if asked, with adapters if asked.

On a CPU everything is in 32 bits: half precision there is an order of magnitude slower. Weights come from a folder or,
through fsspec or the hub's client, from hf://, s3:// and gs://.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase

from services.training.recipe.output_layer import show_as_one
from services.training.recipe.spec import Adapter, Base

FEED_FORWARD: Final = ("gate_proj", "up_proj", "down_proj")
OUTPUT: Final = "lm_head"
_SMALL: Final = 1e-4


def precision() -> torch.dtype:
    """Return what weights are trained in on this machine."""
    return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32


def tokenizer(base: Base) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a base, with a token to pad with."""
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(local_folder(base.source))
    if made.pad_token is None:
        made.pad_token = made.eos_token
    return made


def load(base: Base, adapter: Adapter | None = None) -> Any:
    """Return the base model, ready to train: all of it, or new adapters on it and nothing else.

    An adapter that the base has already is merged into it first.
    """
    quantized = adapter is not None and adapter.quantized_base
    # a pickle is never opened
    options: dict[str, Any] = {"dtype": precision(), "use_safetensors": True}
    if quantized:
        options["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # it has no types
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=precision(),
        )
    model: Any = AutoModelForCausalLM.from_pretrained(local_folder(base.source), **options)
    if base.adapter is not None:
        model = PeftModel.from_pretrained(model, local_folder(base.adapter)).merge_and_unload()
    if quantized:
        prepare: Any = prepare_model_for_kbit_training
        model = prepare(model, use_gradient_checkpointing=False)
    if adapter is None:
        return model
    made = get_peft_model(model, _lora(adapter))
    if adapter.weight_decomposed:
        _give_direction(made)
    if adapter.output:
        show_as_one(made)
    return made


def _give_direction(model: Any) -> None:
    """Give rows of zeros a direction, without which a weight-decomposed adapter divides by their length.

    Their magnitude is 0, so the model says the same as before.
    """
    for module in model.modules():
        if not hasattr(module, "lora_magnitude_vector") or not hasattr(module, "get_base_layer"):
            continue
        without = torch.linalg.vector_norm(module.get_base_layer().weight, dim=1) == 0
        for part in module.lora_B.values():
            part.weight.data[without] = _SMALL


def _lora(adapter: Adapter) -> LoraConfig:
    modules = [*adapter.modules]
    if adapter.mlp:
        modules += FEED_FORWARD
    if adapter.output:
        modules.append(OUTPUT)
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        target_modules=modules,
        use_dora=adapter.weight_decomposed,
        bias="none",
        task_type="CAUSAL_LM",
    )


def local_folder(source: str) -> str:
    """Return a source as something that transformers loads: a folder, or a name of the hub.

    Other remote trees are copied to the machine once.
    """
    scheme, _, rest = source.partition("://")
    if not rest:
        return source
    if scheme == "file":
        return rest
    if scheme == "hf":
        return _from_hub(rest)
    return str(_copied(source))


def _from_hub(name: str) -> str:
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    return snapshot_download(repository, revision=revision or None, ignore_patterns=["*.bin", "*.pt", "*.pth"])


def _copied(source: str) -> Path:
    import fsspec

    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "altiplano" / "weights"
    target = cache / hashlib.sha256(source.encode()).hexdigest()[:24]
    if not target.exists():
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        filesystem, root = fsspec.core.url_to_fs(source)
        filesystem.get(root.rstrip("/") + "/", str(fresh), recursive=True)
        fresh.rename(target)
    return target
