"""HTML: what a person would read of it, with the headings of each part."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree, html

from mesh.errors import InvalidField
from services.memory.chunking import Text
from services.memory.readers.markdown import Outline
from services.memory.readers.plain import decode

_SILENT: Final = frozenset({"head", "script", "style", "noscript", "template", "svg", "nav", "iframe", "object"})
_BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tr",
        "ul",
    }
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_SPACE: Final = re.compile(r"[ \t\r\n\f\u00a0]+")


def read_html(data: bytes) -> Text:
    """Return the text of a page, one paragraph per block; scripts, styles and navigation are left out.

    Raises:
        InvalidField: it is not HTML.
    """
    if not data.strip():
        return Text("")
    try:
        # bytes that are UTF-8 are read so; else the page's own declaration counts
        root = html.document_fromstring(decode(data).encode(), parser=html.HTMLParser(encoding="utf-8"))
    except InvalidField:
        root = _declared(data)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise InvalidField("content", "HTML is needed; this can't be read") from error
    return _Page().read(root)


def _declared(data: bytes) -> html.HtmlElement:
    try:
        return html.document_fromstring(data)
    except (etree.ParserError, etree.XMLSyntaxError, UnicodeDecodeError, LookupError) as error:
        raise InvalidField("content", "HTML is needed; this can't be read") from error


class _Page:
    """The text of a page as it grows."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._line: list[str] = []
        self._said = False
        self._outline = Outline()

    def read(self, root: html.HtmlElement) -> Text:
        """Walk the tree without recursion, which a page could exhaust."""
        silent: html.HtmlElement | None = None
        level = 0
        for event, element in etree.iterwalk(root, events=("start", "end")):
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start" and silent is None:
                if tag in _SILENT or not tag:
                    silent = element
                    continue
                level = self._begin(tag, level)
                self._say(element.text)
            elif event == "end":
                if silent is element:
                    silent = None
                elif silent is None:
                    level = self._finish(tag, level)
                if silent is None:
                    self._say(element.tail)
        self._break(0)
        return Text("".join(self._parts), sections=self._outline.sections)

    def _begin(self, tag: str, level: int) -> int:
        if tag == "br":
            self._say(" ")
        elif tag in {"td", "th"}:
            self._say(" | " if self._said else "")
        elif tag in _BLOCKS:
            self._break(level)
            return _HEADINGS.get(tag, 0)
        return level

    def _finish(self, tag: str, level: int) -> int:
        if tag in _BLOCKS:
            self._break(level)
            return 0
        return level

    def _say(self, text: str | None) -> None:
        """Go on with the paragraph, and note whether it holds more than white space by now."""
        if text:
            self._line.append(text)
            self._said = self._said or not text.isspace()

    def _break(self, level: int) -> None:
        """End a paragraph, which is a heading where ``level`` says so."""
        text = _SPACE.sub(" ", "".join(self._line)).strip()
        self._line, self._said = [], False
        if not text:
            return
        if level:
            self._outline.add(self._length, level, text)
        self._parts.append(f"{text}\n\n")
        self._length += len(text) + 2
