"""The tokenizer of the built-in model: byte-level BPE whose words split alike with and without a leading space.

Merges are learned on bare words; only then does a leading space join the first piece of a word. So ` Tara` and
`Tara` differ in one piece that shares a stem, and every digit is a token of its own.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from .dialogs import TRAINING
from .skills import draw
from .template import CHAT_TEMPLATE, SPECIAL_TOKENS, segments

SPACE = "Ġ"
WORDS = r"[ ]{2,}| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\n+|\s"
BARE_WORDS = r"[ ]{2,}|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+|\n+|\s"
UNDEFINED_LENGTH = 2048


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a special token; KeyError if the vocabulary lacks it."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise KeyError(token)
    return int(found)


def corpus(seed: int, count: int) -> list[str]:
    """Return the texts of `count` training dialogs without special tokens."""
    rng = random.Random(f"tokenizer-{seed}")
    texts = ("".join(text for text, _ in segments(draw(rng, TRAINING))) for _ in range(count))
    plain = []
    for text in texts:
        for token in SPECIAL_TOKENS:
            text = text.replace(token, "\n")
        plain.append(text)
    return plain


def splitter(pattern: str) -> pre_tokenizers.PreTokenizer:
    """Return a pre-tokenizer that cuts by the pattern and maps bytes to printable characters."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def build(texts: list[str], bare: int = 1900, spaced: int = 1200) -> Tokenizer:
    """Train the merges on bare words, then add the merges that put a space before the commonest first pieces."""
    draft = Tokenizer(models.BPE())
    draft.pre_tokenizer = splitter(BARE_WORDS)
    bare_words = pre_tokenizers.Split(Regex(BARE_WORDS), "isolated")
    counts = Counter(word for text in texts for word, _ in bare_words.pre_tokenize_str(text))
    # Invented names are endless and each is rare: only some of them may shape the merges, or common words fall apart.
    words = [
        word for index, (word, count) in enumerate(counts.items()) if count > 4 or index % 3 == 0 for _ in range(count)
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=bare, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    draft.train_from_iterator(words, trainer)
    learned = json.loads(draft.to_str())["model"]
    vocabulary: dict[str, int] = learned["vocab"]
    merges = [tuple(merge) for merge in learned["merges"]]
    firsts: Counter[str] = Counter()
    plain = pre_tokenizers.Split(Regex(WORDS), "isolated")
    for text in texts[:6000]:
        for word, _ in plain.pre_tokenize_str(text):
            if word.startswith(" ") and word.strip():
                firsts[draft.encode(word[1:]).tokens[0]] += 1
    for piece, _ in firsts.most_common(spaced):
        if SPACE + piece not in vocabulary:
            vocabulary[SPACE + piece] = len(vocabulary)
            merges.append((SPACE, piece))
    final = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    final.pre_tokenizer = splitter(WORDS)
    final.decoder = decoders.ByteLevel()
    final.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return final


def spelling(tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Return for each token the index of its stem and of its mark (leading space and letter case)."""
    stems: dict[str, int] = {}
    stem_ids, marks = [], []
    for index in range(tokenizer.get_vocab_size()):
        token = str(tokenizer.id_to_token(index))
        bare = token[1:] if token.startswith(SPACE) and len(token) > 1 else token
        case = 0 if bare == bare.lower() else 1 if bare[1:] == bare[1:].lower() else 2
        stem_ids.append(stems.setdefault(bare.lower(), len(stems)))
        marks.append(case + 3 * (bare != token))
    return torch.tensor(stem_ids), torch.tensor(marks)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json as transformers and vLLM load them."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "pad_token": "<|finetune_right_pad_id|>",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": False,
        "model_max_length": UNDEFINED_LENGTH,
        "chat_template": CHAT_TEMPLATE,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
