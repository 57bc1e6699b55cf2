"""Text, code, CSV and JSON."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Final

from mesh.errors import InvalidField
from services.memory.chunking import Text

_FIELD: Final = "content"
MOST_CHARACTERS: Final = 64 * 1024 * 1024
"""Characters that are made of one document; a small one can tell of much more."""
_BOMS: Final = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"))


def decode(data: bytes) -> str:
    """Return the text of bytes in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        InvalidField: they are not text.
    """
    marks = (*_BOMS, (b"\xfe\xff", "utf-16"))
    encoding = next((name for mark, name in marks if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidField(_FIELD, f"text in UTF-8 is needed; byte {error.start} is not") from error
    # no database takes the sign of code 0, and no text needs it
    return text.replace("\0", "\ufffd")


def read_json(data: bytes) -> Text:
    """Return JSON as it is written.

    Raises:
        InvalidField: it is not JSON.
    """
    text = decode(data)
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidField(_FIELD, f"JSON is needed; it can't be read{where}") from error
    return Text(text)


def read_rows(data: bytes, delimiter: str) -> Text:
    """Return a table with one line per row, in which each value follows the name of its column.

    Raises:
        InvalidField: it is not a table.
    """
    reader = csv.reader(StringIO(decode(data), newline=""), delimiter=delimiter)
    lines, length = [], 0
    try:
        header = next(reader, [])
        for row in reader:
            named = [f"{name}: {value}" for name, value in zip(header, row, strict=False) if value]
            lines.append("; ".join(named + row[len(header) :]))
            length += len(lines[-1]) + 1
            if length > MOST_CHARACTERS:
                raise InvalidField(_FIELD, "the table has too much text, with the names of its columns in each row")
    except csv.Error as error:
        raise InvalidField(_FIELD, f"a table is needed; row {reader.line_num} can't be read") from error
    return Text("\n".join(lines) if lines else "; ".join(header))
