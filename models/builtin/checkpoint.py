"""Reading and writing: a model folder as transformers and vLLM load it, and the state of an unfinished training."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from .model import Decoder
from .tokenizer import save as save_tokenizer
from .tokenizer import token_id


def state_names(model: Decoder) -> dict[str, Tensor]:
    """Return the parameters under the names of `LlamaForCausalLM`, embeddings folded into one matrix."""
    tensors = {"model.embed_tokens.weight": model.embedding.table(), "model.norm.weight": model.norm.weight}
    for index, layer in enumerate(model.blocks):
        for name, parameter in layer.named_parameters():
            inner = f"mlp.{name}" if name.startswith(("gate", "up", "down")) else name
            tensors[f"model.layers.{index}.{inner}"] = parameter
    return {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in tensors.items()}


def export(model: Decoder, tokenizer: Tokenizer, folder: Path) -> None:
    """Write weights in half precision with configuration, generation settings and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    ids = {
        token: token_id(tokenizer, token)
        for token in ("<|begin_of_text|>", "<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>")
    }
    ends = [ids["<|end_of_text|>"], ids["<|eom_id|>"], ids["<|eot_id|>"]]
    common = {
        "bos_token_id": ids["<|begin_of_text|>"],
        "eos_token_id": ends,
        "pad_token_id": ids["<|finetune_right_pad_id|>"],
    }
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.max_position_embeddings,
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "use_cache": True,
        "torch_dtype": "float32",
        **common,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(json.dumps({**common, "do_sample": False}, indent=2) + "\n")
    save_tokenizer(tokenizer, folder)
    save_file(state_names(model), folder / "model.safetensors", metadata={"format": "pt"})


def save_progress(path: Path, state: dict[str, object]) -> None:
    """Write the state of a training so that a crash leaves either the old or the new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def load_progress(path: Path) -> dict[str, object] | None:
    """Return the saved state of a training, or None when there is none."""
    if not path.exists():
        return None
    state: dict[str, object] = torch.load(path, weights_only=False)
    return state
