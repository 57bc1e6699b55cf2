"""The process that reads from a Hugging Face hub: ``python -m services.training.datasets.hub_reader URL``.

Writes the bytes of a file, or the rows of a dataset as JSON lines, to standard output. The exit code is 0, MISSING for
something that is not there or not ours, UNREACHABLE for a hub that does not answer, another one for the rest.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import BinaryIO, Final
from urllib.parse import parse_qsl, urlsplit

MISSING: Final = 3
UNREACHABLE: Final = 4
_CHUNK: Final = 1024 * 1024


def main(url: str, out: BinaryIO) -> int:
    """Write what the URL leads to and return the exit code."""
    from datasets.exceptions import (  # type: ignore[import-untyped]  # the package has no types
        DataFilesNotFoundError,
        DatasetNotFoundError,
    )

    # the second one is of the HTTP client that the hub's package has
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]  # not exported

    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name]
    try:
        if len(names) > 2:
            _file(url, out)
        else:
            _dataset("/".join(names), dict(parse_qsl(parts.query)), out)
    except (FileNotFoundError, PermissionError, DatasetNotFoundError, DataFilesNotFoundError):
        return MISSING
    except HfHubHTTPError as error:
        return MISSING if error.response is not None and error.response.status_code < 500 else UNREACHABLE
    except (HTTPError, ConnectionError, TimeoutError):
        return UNREACHABLE
    return 0


def _file(url: str, out: BinaryIO) -> None:
    from huggingface_hub import HfFileSystem

    with HfFileSystem().open(url, "rb") as file:
        shutil.copyfileobj(file, out, _CHUNK)


def _dataset(name: str, parameters: dict[str, str], out: BinaryIO) -> None:
    from datasets import load_dataset  # type: ignore[import-untyped]  # the package has no types

    repository, _, revision = name.partition("@")
    rows = load_dataset(
        repository,
        parameters.get("config"),
        split=parameters.get("split", "train"),
        revision=revision or None,
        streaming=True,
    )
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdout.buffer))
