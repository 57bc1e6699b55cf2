"""Reading the text of a document of any kind that can be read."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from typing import Any, Final

from mesh.errors import InvalidField
from services.memory import media
from services.memory.chunking import Text
from services.memory.readers.html import read_html
from services.memory.readers.markdown import read_markdown
from services.memory.readers.plain import decode, read_json, read_rows

_MIB: Final = 1024 * 1024
_SHORT: Final = 2048
"""Bytes that are read at once, in less time than it takes to hand them to a thread."""
_BINARY: Final = {media.PDF: "pdf", media.DOCX: "docx"}
_STRUCTURED: Final = {media.HTML: "html", media.CSV: "csv", media.TSV: "tsv", media.JSON: "json"}
_LARGE: Final = _MIB
"""Bytes from which structured text is read in a process of its own too: what is made of it may be much larger."""


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What reading one file in a process of its own may take, and how many are read at once."""

    timeout_s: float = 60.0
    memory_mib: int = 1024
    at_once: int = 2


class Reader:
    """Reads documents; PDF and DOCX files and large structured texts in processes of their own."""

    def __init__(self, limits: ReaderLimits) -> None:
        """Keep the limits."""
        self._limits = limits
        self._room = asyncio.Semaphore(limits.at_once)

    async def read(self, data: bytes, media_type: str) -> Text:
        """Return the text of a document.

        Raises:
            InvalidField: it is not what its media type says, or too large to read.
        """
        kind = _BINARY.get(media_type) or (_STRUCTURED.get(media_type) if len(data) > _LARGE else None)
        if kind is not None:
            async with self._room:
                return await self._apart(kind, data)
        if len(data) <= _SHORT:
            return _read(data, media_type)
        return await asyncio.to_thread(_read, data, media_type)

    async def _apart(self, kind: str, data: bytes) -> Text:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.memory.readers.apart", kind),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        seconds = int(self._limits.timeout_s) + 1
        size = self._limits.memory_mib * _MIB
        try:
            # before it reads anything: it waits for its input
            resource.prlimit(process.pid, resource.RLIMIT_AS, (size, size))
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (seconds, seconds))
            async with asyncio.timeout(self._limits.timeout_s):
                said, _ = await process.communicate(data)
        except TimeoutError as error:
            raise InvalidField("content", f"the file took more than {self._limits.timeout_s:g} s to read") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise InvalidField("content", f"a readable {kind.upper()} file is needed; this one is broken or too large")
        return _text(json.loads(said))


def _read(data: bytes, media_type: str) -> Text:
    match media_type:
        case media.HTML:
            return read_html(data)
        case media.CSV:
            return read_rows(data, ",")
        case media.TSV:
            return read_rows(data, "\t")
        case media.JSON:
            return read_json(data)
        case media.MARKDOWN:
            return read_markdown(decode(data))
        case _:
            return Text(decode(data))


def _text(answer: dict[str, Any]) -> Text:
    if why := answer.get("refused"):
        raise InvalidField("content", why)
    text = answer["text"].replace("\0", "\ufffd")
    # half surrogate pairs come out of broken fonts, and neither protobuf nor a database takes them
    text = text.encode("utf-8", "replace").decode()
    return Text(
        text,
        sections=[(offset, title) for offset, title in answer["sections"]],
        pages=[(offset, number) for offset, number in answer["pages"]],
    )
