"""Markdown: its text as it is, with the headings of each part."""

from __future__ import annotations

import re
from typing import Final

from services.memory.chunking import Text

_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(\S[^\n]*)")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
SEPARATOR: Final = " > "


def read_markdown(text: str) -> Text:
    """Return the text with a section for each heading of the ``#`` kind, those in code left out."""
    outline = Outline()
    offset, fence = 0, ""
    for line in text.splitlines(keepends=True):
        if found := _FENCE.match(line):
            if not fence:
                fence = found[1]
            elif found[1][0] == fence[0] and len(found[1]) >= len(fence):
                fence = ""
        elif not fence and (heading := _HEADING.match(line)):
            outline.add(offset, len(heading[1]), heading[2].rstrip().rstrip("#").rstrip())
        offset += len(line)
    return Text(text, sections=outline.sections)


class Outline:
    """Collects headings in the order of the text and tells under which ones each part stands."""

    def __init__(self) -> None:
        """Begin without headings."""
        self.sections: list[tuple[int, str]] = []
        self._above: list[tuple[int, str]] = []

    def add(self, offset: int, level: int, title: str) -> None:
        """Note a heading of a level (1 is the highest) at an offset."""
        self._above = [*(above for above in self._above if above[0] < level), (level, title)]
        self.sections.append((offset, SEPARATOR.join(title for _, title in self._above)))
