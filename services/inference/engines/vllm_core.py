"""What runs in vLLM's engine core process besides vLLM, while the model loads and after.

The core has no way to say why it ended: who started it sees an exit code, and the reason is in a log. Here the reason
is also left in a file that the starter named in the environment.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from vllm.v1.executor.uniproc_executor import UniProcExecutor

FAILURE_FILE = "ALTIPLANO_ENGINE_FAILURE_FILE"
_LOGGER = "vllm.v1.engine.core"


class Confession(logging.Handler):
    """Writes the last exception that is logged into a file, as its type and its first line."""

    def __init__(self, file: Path) -> None:
        """``file`` is written anew by each exception."""
        super().__init__(logging.ERROR)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Write the exception that the record is about, if it is about one."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            lines = str(error).strip().splitlines()
            # the file is there while the model loads only
            with suppress(OSError):
                self._file.write_text(f"{type(error).__name__}: {lines[0] if lines else ''}")


class CoreExecutor(UniProcExecutor):
    """Runs the model in the core's own process.

    On a CPU vLLM would give the model a process of its own, and the two would wait for each other in busy loops: on few
    cores that takes from whoever answers the callers. Their shared memory would outlive a core that is killed.
    """

    def _init_executor(self) -> None:
        if file := os.environ.get(FAILURE_FILE):
            logging.getLogger(_LOGGER).addHandler(Confession(Path(file)))
        super()._init_executor()
