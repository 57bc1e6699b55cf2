"""Turns the tokens of one sequence into text as they come, and finds the strings that end it.

Knows tokenizers and nothing of torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

INVALID_PREFIX = "Invalid prefix"
BROKEN = "\ufffd"
CONTEXTS = range(4, 24)


class TextAssembly:
    """The text of one sequence; special tokens are in it by their names."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], stop: Sequence[str]) -> None:
        """``prompt`` is what the sequence goes on from; ``stop`` are the strings that end it and are left out."""
        self._tokenizer = tokenizer
        self._stream = DecodeStream(ids=_context(tokenizer, prompt), skip_special_tokens=False)
        self._stop = tuple(stop)
        self._longest = max(map(len, stop), default=1) - 1
        self._held = ""

    def push(self, token_id: int) -> tuple[str, str | None]:
        """Return the text that is certain now, and the stop string if one has come; nothing comes after that."""
        text = self._held + self._decoded(token_id)
        found = [(at, string) for string in self._stop if (at := text.find(string)) >= 0]
        if found:
            at, string = min(found)
            self._held = ""
            return text[:at], string
        certain = len(text) - self._longest
        self._held = text[max(certain, 0) :]
        return text[: max(certain, 0)], None

    def rest(self) -> str:
        """Return the text that was held back as the possible beginning of a stop string."""
        held, self._held = self._held, ""
        return held

    def _decoded(self, token_id: int) -> str:
        """Return the text of a token, nothing while a character is not whole."""
        try:
            return self._stream.step(self._tokenizer, token_id) or ""
        except Exception as error:  # what tokenizers raises has no class of its own
            if INVALID_PREFIX not in str(error):
                raise
            self._stream = DecodeStream(skip_special_tokens=False)
            return self._stream.step(self._tokenizer, token_id) or ""


def _context(tokenizer: Tokenizer, prompt: Sequence[int]) -> list[int]:
    """Return as much of the prompt's end as decides how the first token is written: whole characters, or nothing."""
    for count in CONTEXTS:
        end = list(prompt[-count:])
        if BROKEN not in tokenizer.decode(end, skip_special_tokens=False):
            return end
    return []
