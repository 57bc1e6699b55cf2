"""Markdown: its text as it is, with the headings of each part."""

from __future__ import annotations

import re
from typing import Final

from mesh.errors import InvalidField
from services.memory.chunking import Text

_MARK: Final = re.compile(
    r"(?m)(?:^|(?<=\r)) {0,3}(?:(?P<level>#{1,6})[ \t]+(?P<title>\S[^\r\n]*)|(?P<fence>`{3,}|~{3,}))"
)
SEPARATOR: Final = " > "
_MOST_HEADINGS: Final = 100_000
_MOST_TITLE: Final = 256
"""Characters of a heading that the parts below it bring along."""


def read_markdown(text: str) -> Text:
    """Return the text with a section for each heading of the ``#`` kind, those in code left out.

    Raises:
        InvalidField: there are too many headings.
    """
    outline = Outline()
    fence = ""
    for found in _MARK.finditer(text):
        if mark := found["fence"]:
            if not fence:
                fence = mark
            elif mark[0] == fence[0] and len(mark) >= len(fence):
                fence = ""
        elif not fence:
            outline.add(found.start(), len(found["level"]), found["title"].rstrip().rstrip("#").rstrip())
    return Text(text, sections=outline.sections)


class Outline:
    """Collects headings in the order of the text and tells under which ones each part stands."""

    def __init__(self) -> None:
        """Begin without headings."""
        self.sections: list[tuple[int, str]] = []
        self._above: list[tuple[int, str]] = []

    def add(self, offset: int, level: int, title: str) -> None:
        """Note a heading of a level (1 is the highest) at an offset.

        Raises:
            InvalidField: there are too many headings.
        """
        if len(self.sections) == _MOST_HEADINGS:
            raise InvalidField("content", f"at most {_MOST_HEADINGS} headings are taken")
        if len(title) > _MOST_TITLE:
            title = f"{title[:_MOST_TITLE]}\u2026"
        self._above = [*(above for above in self._above if above[0] < level), (level, title)]
        self.sections.append((offset, SEPARATOR.join(title for _, title in self._above)))
