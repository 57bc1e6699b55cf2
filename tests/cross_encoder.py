"""A tiny cross-encoder with random weights: a real checkpoint in every respect but its judgement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SENTENCES = ("the cat sleeps on the warm red roof", "a dog runs", "goldfish swim in a bowl", "sea is blue and wide")


def make_cross_encoder(folder: Path) -> tuple[Any, Any]:
    """Write a checkpoint into a folder and return its model and its tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    words = sorted({word for sentence in SENTENCES for word in sentence.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    tokenizer: Any = BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)})
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=1,
        initializer_range=0.5,
    )
    model: Any = BertForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer
