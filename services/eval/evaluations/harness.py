"""Runs a task of the lm-eval harness in a child process, against an OpenAI-compatible endpoint.

The harness, its packages and whatever code a task file holds stay out of this process.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llamastack.common.v1.value_pb2 import JsonObject
from mesh.errors import BackendUnavailable, InvalidField, MeshError, NotSupported
from mesh.json_text import value_of
from services.eval.evaluations.results import Owner
from services.eval.evaluations.sample import Outcome, Row
from services.eval.evaluations.scorers import means

_CHILD: Final = "services.eval.evaluations.harness_run"
_UNKNOWN_TASK: Final = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is: an OpenAI-compatible server's base URL without ``/v1``, and the key for it, if any."""

    url: str
    key: str | None = None


class LmEval:
    """Runs the tasks of a folder.

    Args:
        tasks: the folder of task files (YAML); None if there is none.
        endpoint: where the model is served.
        timeout_s: seconds for one task.
        answers: the folder for what models answered in tasks that are not over.
    """

    def __init__(self, tasks: Path | None, endpoint: Endpoint, timeout_s: float, answers: Path) -> None:
        self._tasks = tasks
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._answers = answers

    async def run(self, request: Any, model: str, owner: Owner) -> Sequence[Outcome]:
        """Return every sample of a task, scored; what an earlier run of the same job was answered is not asked again.

        Raises:
            NotSupported: there is no folder of tasks.
            InvalidField: the folder has no such task.
            BackendUnavailable: the harness failed, or took too long.
        """
        if self._tasks is None:
            raise NotSupported("no folder of lm-eval tasks is configured")
        options = request.options
        with tempfile.TemporaryDirectory(prefix="altiplano-harness-") as folder:
            order = {
                "tasks": str(self._tasks.absolute()),
                "task": request.task,
                "url": self._endpoint.url.rstrip("/"),
                "model": model,
                "limit": options.max_samples or None,
                "num_fewshot": request.num_fewshot if request.HasField("num_fewshot") else None,
                "concurrency": options.concurrency or 16,
                "seed": abs(options.seed) % 2**32,
                "system": options.system_prompt if options.HasField("system_prompt") else None,
                "answers": str(self._kept(owner).absolute() / "answers"),
            }
            await asyncio.to_thread((Path(folder) / "order.json").write_text, json.dumps(order))
            await self._child(folder, request.task)
            text = await asyncio.to_thread((Path(folder) / "samples.json").read_text)
        return [_outcome(index, sample) for index, sample in enumerate(json.loads(text))]

    async def forget(self, owner: Owner) -> None:
        """Remove the answers that are kept for a job; a no-op where there are none."""
        await asyncio.to_thread(shutil.rmtree, self._kept(owner), ignore_errors=True)

    def _kept(self, owner: Owner) -> Path:
        """Return the folder of a job, whose name is no text of a caller."""
        return self._answers / hashlib.sha256("\0".join(owner).encode()).hexdigest()

    async def _child(self, folder: str, task: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _CHILD, folder, str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(folder, self._endpoint.key),
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                code = await process.wait()
        except TimeoutError as error:
            raise BackendUnavailable(f"the task took longer than {self._timeout_s:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code == _UNKNOWN_TASK:
            raise InvalidField("task", f"a task of the server's folder is needed, which has no {task}")
        if code != 0:
            raise _failure(Path(folder))


def _environment(folder: str, key: str | None) -> dict[str, str]:
    """Return the environment of the child: offline, with a home of its own and without this process's secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TZ") if name in os.environ}
    return {
        **kept,
        "HOME": folder,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": folder,
        "TOKENIZERS_PARALLELISM": "false",
        "OPENAI_API_KEY": key or "",
    }


def _failure(folder: Path) -> MeshError:
    told = folder / "failure.txt"
    return BackendUnavailable(told.read_text() if told.exists() else "the harness ended by itself")


def _outcome(index: int, sample: Any) -> Outcome:
    document = {str(name): value_of(value) for name, value in sample["doc"].items()}
    scores, statistics = means({name: float(value) for name, value in sample["scores"].items()})
    row = Row(index, JsonObject(fields=document))
    return Outcome(row, sample["output"], [sample["target"]], scores, statistics)
