"""Runs semgrep, whose failures count: codeshield's own way of running it takes them for a clean text."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from typing import Final

# a rule that could not finish, as against a text that is no code of the language
_UNFINISHED: Final = ("Timeout", "Out of memory", "Stack overflow", "Fatal error", "Rule parse error")


class ScanFailed(Exception):
    """semgrep did not scan."""


async def run_semgrep(command: Sequence[str]) -> str:
    """Return the JSON that semgrep writes.

    Raises:
        ScanFailed: it failed, or did not finish with a rule.
    """
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise ScanFailed
    try:
        kinds = [str(error.get("type")) for error in json.loads(output)["errors"]]
    except ValueError as error:
        raise ScanFailed from error
    if any(kind.startswith(_UNFINISHED) for kind in kinds):
        raise ScanFailed
    return output.decode()
