"""Cutting a document's text into chunks along its structure: headings first, then paragraphs, sentences and words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from semchunk.semchunk import chunk

from mesh import token_rule
from mesh.errors import OutOfRange
from services.memory.store import Piece

_WINDOW: Final = 100_000
"""Characters that are cut at once, so that a text without any structure needs bounded memory."""
_SHORT: Final = 8
"""Characters per token of a chunk up to which a text may be one chunk as it is."""
_SPARSE: Final = 64
"""Characters that weigh as much as a token at least: nothing is hidden in white space without end, nor sought there."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document's text and its structure.

    ``sections`` are (offset, headings joined by " > "), ``pages`` are (offset, number from 1), in order of the offsets.
    """

    text: str
    sections: Sequence[tuple[int, str]] = field(default=())
    pages: Sequence[tuple[int, int]] = field(default=())


@dataclass(frozen=True, slots=True)
class Cut:
    """How to cut: tokens per chunk at most, tokens shared with the chunk before, chunks at most."""

    size: int
    overlap: int
    most: int


def pieces(document: Text, cut: Cut) -> list[Piece]:
    """Return the chunks of a document, in order; none for a text of white space alone.

    Raises:
        OutOfRange: there are more than the limit.
    """
    found: list[Piece] = []
    pages = [offset for offset, _ in document.pages]
    for begin, end, section in _spans(document):
        for text, offset in _chunks(document.text[begin:end], cut):
            bare = text.strip("\r\n").rstrip()
            if not bare.strip():
                continue
            start = begin + offset + text.index(bare)
            if len(found) == cut.most:
                raise OutOfRange(f"the document has more than {cut.most} chunks")
            page = bisect_right(pages, start) - 1
            found.append(
                Piece(
                    index=len(found),
                    text=bare,
                    start=start,
                    end=start + len(bare),
                    tokens=token_rule.count(bare),
                    page=document.pages[page][1] if page >= 0 else None,
                    section=section or None,
                )
            )
    return found


def _chunks(text: str, cut: Cut) -> Iterator[tuple[str, int]]:
    """Yield the chunks of a span with where each begins in it."""
    # most documents of a large bank are short; counting a long one would be for nothing
    if len(text) <= _SHORT * cut.size and token_rule.count(text) <= cut.size:
        yield text, 0
        return
    if text.isspace():
        return
    found = chunk(text, cut.size, _weight, memoize=False, offsets=True, overlap=cut.overlap or None)
    # its declared type does not tell that with offsets it returns a pair of lists
    texts, offsets = cast(tuple[list[str], list[tuple[int, int]]], found)
    for one, (begin, _) in zip(texts, offsets, strict=True):
        yield one, begin


def _weight(text: str) -> int:
    return max(token_rule.count(text), len(text) // _SPARSE)


def _spans(document: Text) -> Iterator[tuple[int, int, str]]:
    """Yield (begin, end, section): no span crosses a heading, and none is longer than a window."""
    starts = [(0, ""), *document.sections]
    ends = [offset for offset, _ in document.sections] + [len(document.text)]
    for (begin, section), end in zip(starts, ends, strict=True):
        while end - begin > _WINDOW:
            line = document.text.rfind("\n", begin + _WINDOW // 2, begin + _WINDOW)
            stop = line + 1 if line > 0 else begin + _WINDOW
            yield begin, stop, section
            begin = stop
        if begin < end:
            yield begin, end, section
