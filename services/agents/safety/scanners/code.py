"""Looks for insecure code with codeshield: ``python -m services.agents.safety.scanners.code``.

A request is ``{"pieces": [[language or null, code], ...]}``, the answer ``{"patterns": [id, ...]}``. A piece without a
language is scanned as every language that codeshield scans by default. codeshield itself takes a scan that failed for
a clean one; here it is a failure.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from codeshield.insecure_code_detector import insecure_code_detector
from codeshield.insecure_code_detector.languages import Language, get_supported_languages
from codeshield.insecure_code_detector.usecases import UseCase

from mesh.apart.serving import serve
from services.agents.safety.scanners.semgrep import run_semgrep

_STEP: Final = "_run_command"


async def patterns(pieces: list[tuple[str | None, str]]) -> list[str]:
    """Return the ids of the insecure patterns in some pieces of code, each once, in the order of their finding."""
    found: dict[str, None] = {}
    for language, code in pieces:
        for each in [Language(language)] if language else get_supported_languages():
            issues = await insecure_code_detector.analyze(each, code, usecase=UseCase.CODESHIELD)
            # semgrep puts the folder of its rules before the name of one, with dots between
            found.update((str(issue.pattern_id).rpartition(".")[2], None) for issue in issues)
    return list(found)


def scan(request: Any) -> dict[str, list[str]]:
    """Return the patterns in the pieces of a request."""
    folder = Path(tempfile.gettempdir())
    try:
        return {"patterns": asyncio.run(patterns(request["pieces"]))}
    finally:
        # codeshield leaves the code that it wrote into files there
        for left in folder.iterdir():
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def main() -> None:
    """Serve."""
    if not hasattr(insecure_code_detector, _STEP):
        raise SystemExit("codeshield runs semgrep in another way than this program knows")
    setattr(insecure_code_detector, _STEP, run_semgrep)
    serve(scan)


if __name__ == "__main__":
    main()
