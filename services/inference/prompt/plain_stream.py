"""Decodes output that holds no calls: text, less the special tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llamastack.common.v1.message_pb2 import StopReason
from services.inference.prompt.llama3_decoding import closing_reason
from services.inference.prompt.stream_decoder import NOTHING, Decoded, End, Piece


class SpecialFilter:
    """Removes special tokens from a text that comes in pieces."""

    def __init__(self, special_tokens: Sequence[str]) -> None:
        """Take the special tokens, longest first."""
        self._pattern = re.compile("|".join(map(re.escape, special_tokens))) if special_tokens else None
        self._starts = frozenset(token[0] for token in special_tokens)
        self._tokens = special_tokens
        self._longest = max(map(len, special_tokens), default=0)
        self._held = ""

    def push(self, text: str) -> str:
        """Return the text that is certain now."""
        if self._pattern is None or not (self._held or any(start in text for start in self._starts)):
            return text
        text = self._pattern.sub("", self._held + text)
        end = self._partial(text)
        self._held = text[end:]
        return text[:end]

    def finish(self) -> str:
        """Return what is still held back."""
        held, self._held = self._held, ""
        return held

    def _partial(self, text: str) -> int:
        """Return where a special token may have begun at the end of the text; the text's length if none has."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[at] in self._starts and any(token.startswith(text[at:]) for token in self._tokens):
                return at
        return len(text)


class PlainStream:
    """The StreamDecoder of a model without tools."""

    def __init__(self, special_tokens: Sequence[str]) -> None:
        """Take the special tokens to leave out, longest first."""
        self._filter = SpecialFilter(special_tokens)
        self._texts: list[str] = []

    @property
    def stopped(self) -> bool:
        return False

    def push(self, text: str, token_ids: Sequence[int] = ()) -> Sequence[Piece]:
        text = self._filter.push(text)
        if not text:
            return NOTHING
        self._texts.append(text)
        return (text,)

    def finish(self, stop_reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED) -> End:
        rest = self._filter.finish()
        self._texts.append(rest)
        return End((rest,) if rest else (), Decoded("".join(self._texts), (), closing_reason(stop_reason)))
