"""Decodes the output of a Llama 3 model while it comes.

Each character is looked at once: special tokens are split off, then the beginning of the output is held back until it
is clear that no call begins there, and after it only a ``<function=`` that has begun. What a whole output means is said
by ``llama3_decoding``; this module says it earlier.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from llamastack.common.v1.message_pb2 import StopReason
from services.inference.prompt import tokens
from services.inference.prompt.call_reading import NewCallId, read_calls
from services.inference.prompt.call_signs import Probe, Sign, function_sign, probe_for
from services.inference.prompt.llama3_decoding import REASONS, closing_reason
from services.inference.prompt.stream_decoder import NOTHING, Decoded, End, Piece, in_progress, outcome, started


class _At(enum.Enum):
    """Where in an output the stream is."""

    HEADER = enum.auto()
    HEAD = enum.auto()
    TEXT = enum.auto()
    CALL = enum.auto()


class Llama3Stream:
    """The StreamDecoder of Llama 3; arguments as for ``llama3_decoding.decode``."""

    def __init__(self, new_call_id: NewCallId, *, tools_offered: bool = True) -> None:
        self._new_call_id = new_call_id
        self._tools_offered = tools_offered
        self._at = _At.HEAD
        self._fresh = True
        self._begun = False
        self._repeats_header = False
        self._reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED
        self._partial_token = ""
        self._head: list[str] = []
        self._probe: Probe | None = None
        self._partial_tag = ""
        self._tagged = False
        self._texts: list[str] = []
        self._call: list[str] = []

    @property
    def stopped(self) -> bool:
        return self._reason != StopReason.STOP_REASON_UNSPECIFIED

    def push(self, text: str, token_ids: Sequence[int] = ()) -> Sequence[Piece]:
        if not text or self._reason:
            return NOTHING
        pieces: list[Piece] = []
        if "<" in text or self._partial_token:
            self._split(text, pieces)
        else:
            self._plain(text, pieces)
        return pieces

    def finish(self, stop_reason: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED) -> End:
        pieces: list[Piece] = []
        if self._partial_token and not self._reason:
            self._plain(self._partial_token, pieces)
        reason = closing_reason(stop_reason, self._reason)
        cut_off = reason == StopReason.STOP_REASON_OUT_OF_TOKENS
        self._flush(pieces, cut_off=cut_off)
        if self._at is not _At.CALL:
            return End(pieces, Decoded("".join(self._texts), (), reason))
        raw = "".join(self._call)
        calls = read_calls(raw, tagged=self._tagged, cut_off=cut_off, new_call_id=self._new_call_id)
        pieces += outcome(calls)
        text = "" if calls else "".join(self._texts) + raw
        return End(pieces, Decoded(text, tuple(calls), reason, failed=not calls))

    def _split(self, text: str, pieces: list[Piece]) -> None:
        """Read a text in which special tokens may stand, begin or end."""
        text = self._partial_token + text
        end = tokens.partial_at_end(text)
        self._partial_token = text[end:]
        at = 0
        for found in tokens.SPECIAL.finditer(text, 0, end):
            if found.start() > at:
                self._plain(text[at : found.start()], pieces)
            self._special(found[0], pieces)
            at = found.end()
            if self._reason:
                self._partial_token = ""
                return
        if end > at:
            self._plain(text[at:end], pieces)

    def _special(self, token: str, pieces: list[Piece]) -> None:
        if self._at is _At.HEADER:
            if token == tokens.END_HEADER:
                self._at = _At.HEAD
            return
        if self._fresh and token == tokens.BEGIN_OF_TEXT and not self._begun:
            self._begun = True
            return
        if self._fresh and token == tokens.START_HEADER:
            self._at, self._repeats_header, self._fresh = _At.HEADER, True, False
            return
        self._fresh = False
        if token in REASONS:
            self._reason = REASONS[token]
        elif token == tokens.PYTHON_TAG:
            self._tag(pieces)

    def _plain(self, text: str, pieces: list[Piece]) -> None:
        """Read a text without special tokens."""
        match self._at:
            case _At.TEXT:
                self._scan(self._partial_tag + text, pieces)
            case _At.CALL:
                self._fragment(text, pieces)
            case _At.HEAD:
                self._begin(text, pieces)

    def _begin(self, text: str, pieces: list[Piece]) -> None:
        """Read the beginning of the output, which stays held back until it is clear what it is."""
        self._fresh = False
        self._head.append(text)
        if self._probe is None:
            text = text.lstrip()
            if not text:
                return
            self._probe = probe_for(text[0]) if self._tools_offered else None
        sign = Sign.TEXT if self._probe is None else self._probe.feed(text)
        if sign is Sign.CALL:
            self._begin_call(self._take_head(), pieces)
        elif sign is Sign.TEXT:
            self._at = _At.TEXT
            self._scan(self._take_head(), pieces)

    def _take_head(self) -> str:
        head = "".join(self._head)
        self._head.clear()
        return head.removeprefix("\n\n") if self._repeats_header else head

    def _scan(self, text: str, pieces: list[Piece]) -> None:
        """Emit a text up to a function tag that begins or may begin in it."""
        self._partial_tag = ""
        at = text.find("<") if self._tools_offered else -1
        while at >= 0:
            sign = function_sign(text, at)
            if sign is not Sign.TEXT:
                self._emit(text[:at], pieces)
                if sign is Sign.CALL:
                    self._begin_call(text[at:], pieces)
                else:
                    self._partial_tag = text[at:]
                return
            at = text.find("<", at + 1)
        self._emit(text, pieces)

    def _tag(self, pieces: list[Piece]) -> None:
        """Read a python tag: what follows is a call. A further one separates calls."""
        if self._at is _At.CALL:
            if self._tagged:
                self._fragment("\n", pieces)
            return
        head = self._take_head() if self._at is _At.HEAD else self._partial_tag
        if not head.isspace():
            self._emit(head, pieces)
        self._tagged = True
        self._begin_call("", pieces)

    def _flush(self, pieces: list[Piece], *, cut_off: bool) -> None:
        """Let go of what is held back at the end: a call that was cut off, or a text."""
        if self._at is _At.HEAD:
            held = self._take_head()
            is_call = self._probe is not None and self._probe.likely
        else:
            held, self._partial_tag = self._partial_tag, ""
            is_call = len(held) > 1
        if held and is_call and cut_off:
            self._begin_call(held, pieces)
        else:
            self._emit(held, pieces)

    def _begin_call(self, text: str, pieces: list[Piece]) -> None:
        self._at = _At.CALL
        pieces.append(started())
        self._fragment(text, pieces)

    def _fragment(self, text: str, pieces: list[Piece]) -> None:
        if text:
            self._call.append(text)
            pieces.append(in_progress(text))

    def _emit(self, text: str, pieces: list[Piece]) -> None:
        if text:
            self._texts.append(text)
            pieces.append(text)
