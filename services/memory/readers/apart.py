"""Reading one file in a process of its own.

``python -m services.memory.readers.apart pdf`` reads the file from standard input and writes JSON to standard output.
Files can be made to exhaust whoever reads them, so the process has limits of its own and nothing to lose. It answers
``{"text", "pages", "sections"}`` or ``{"refused": why}``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, Final

from mesh.errors import InvalidField
from services.memory.chunking import Text
from services.memory.readers.binary import Refused, read_docx, read_pdf
from services.memory.readers.html import read_html
from services.memory.readers.plain import read_json, read_rows


def _structured(read: Callable[[bytes], Text]) -> Callable[[bytes], dict[str, Any]]:
    def answer(data: bytes) -> dict[str, Any]:
        text = read(data)
        return {"text": text.text, "pages": text.pages, "sections": text.sections}

    return answer


READERS: Final[dict[str, Callable[[bytes], dict[str, Any]]]] = {
    "pdf": read_pdf,
    "docx": read_docx,
    "html": _structured(read_html),
    "json": _structured(read_json),
    "csv": _structured(lambda data: read_rows(data, ",")),
    "tsv": _structured(lambda data: read_rows(data, "\t")),
}


def main() -> None:
    """Read one file."""
    # what a file makes the reader complain about is no news for the service's log
    logging.disable()
    try:
        answer = READERS[sys.argv[1]](sys.stdin.buffer.read())
    except Refused as error:
        answer = {"refused": str(error)}
    except InvalidField as error:
        answer = {"refused": error.message.removeprefix("content: ")}
    except RecursionError:
        answer = {"refused": "the file is nested too deeply"}
    except MemoryError:
        answer = {"refused": "the file takes too much memory to read"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
