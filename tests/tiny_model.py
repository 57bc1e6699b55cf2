"""Makes a checkpoint that loads in a moment: a small random Llama over bytes, and adapters for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|finetune_right_pad_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)
FIRST_SPECIAL = 256
ENDS = (FIRST_SPECIAL + 1, FIRST_SPECIAL + 5, FIRST_SPECIAL + 6)
CONTEXT = 8192
CHAT_TEMPLATE = (
    "{{- bos_token -}}{%- for message in messages -%}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>' + message['content'] + '<|eot_id|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>' -}}{%- endif -%}"
)
"""Llama 3's in short, for those who need one; a checkpoint has none by itself."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    hidden: int = 64
    layers: int = 2
    heads: int = 2
    kv_heads: int = 1
    head_size: int = 32
    feed_forward: int = 128


TINY = Shape()


def make_checkpoint(folder: Path, *, seed: int = 0, shape: Shape = TINY) -> Path:
    """Write configuration, a tokenizer of bytes and Llama 3's special tokens, and random weights."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers has no types for it
        tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[6], pad_token=SPECIAL[2]
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=FIRST_SPECIAL + len(SPECIAL),
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        max_position_embeddings=CONTEXT,
        bos_token_id=FIRST_SPECIAL,
        eos_token_id=list(ENDS),
        pad_token_id=FIRST_SPECIAL + 2,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]  # transformers has no types for it
    with torch.no_grad():
        # an answer goes on for as long as it may: which token is likeliest hangs on rounding, and so on the load
        model.lm_head.weight[list(ENDS)] = 0
    model.save_pretrained(folder)
    return folder


def make_adapter(folder: Path, *, rank: int = 8, seed: int = 1) -> Path:
    """Write a LoRA adapter for the checkpoint whose random weights are large enough to change every answer."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    tensors = {}
    for layer in range(TINY.layers):
        for module in ("q_proj", "o_proj"):
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{name}.lora_A.weight"] = torch.randn(rank, TINY.hidden)
            tensors[f"{name}.lora_B.weight"] = torch.randn(TINY.hidden, rank)
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 16 * rank,
        "target_modules": ["q_proj", "o_proj"],
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder
