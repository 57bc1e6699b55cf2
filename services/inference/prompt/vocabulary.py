"""The vocabulary of a model: plain text and special tokens to ids.

Owns a tokenizer of its own, because the switch that keeps special tokens out of plain text is a state of the tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer


class Vocabulary:
    """Turns text into ids that are never those of special tokens, and names of special tokens into their ids."""

    def __init__(self, tokenizer_json: str) -> None:
        """Read the tokenizer from the content of a ``tokenizer.json``; ``Tokenizer.to_str()`` gives it too."""
        self._tokenizer = _tokenizer(tokenizer_json)
        self._tokenizer.encode_special_tokens = True
        self._json = tokenizer_json

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Read the tokenizer of a checkpoint's folder."""
        return cls((folder / "tokenizer.json").read_text(encoding="utf-8"))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a plain text; ``<|eot_id|>`` in it is ten letters, not a token."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _reader_of_specials(self) -> Tokenizer:
        return _tokenizer(self._json)

    def encode_trusted(self, text: str) -> list[int]:
        """Return the ids of a text in which the names of special tokens stand for them; never give it a user's text."""
        ids: list[int] = self._reader_of_specials.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens, longest first."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        return tuple(sorted((token.content for token in added if token.special), key=len, reverse=True))

    @cached_property
    def special_pattern(self) -> re.Pattern[str] | None:
        """Matches any special token, the longest one where several begin; None if there is none."""
        return re.compile("|".join(map(re.escape, self.special_tokens))) if self.special_tokens else None

    def special_id(self, token: str) -> int:
        """Return the id of a special token.

        Raises:
            KeyError: the vocabulary lacks it.
        """
        token_id: int | None = self._tokenizer.token_to_id(token)
        if token_id is None:
            raise KeyError(token)
        return token_id

    def known_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of those special tokens that the vocabulary has."""
        ids = {name: self._tokenizer.token_to_id(name) for name in names}
        return {name: token_id for name, token_id in ids.items() if token_id is not None}


def _tokenizer(tokenizer_json: str) -> Tokenizer:
    tokenizer: Tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
