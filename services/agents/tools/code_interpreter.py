"""code_interpreter: Python in the sandbox, with the files of its session."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from llamastack.common.v1.content_pb2 import Attachment, Url
from services.agents.sandbox.sandbox import Line, Outcome, Task
from services.agents.tooling import SessionFile
from services.agents.tools.session_folders import Placing, SessionFolder, SessionFolders
from services.agents.tools.tool import Answer, Arguments, Description, Kind, Status, Surroundings, parameter

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_GRACE_S: Final = 15.0
"""For its turn, and for a sandbox that has to be started first."""
_GONE: Final = "the interpreter did not answer any more and was ended"
Read = Callable[[Attachment], Awaitable[bytes]]
"""Gives the bytes of an attachment; raises a MeshError where that can't be."""


class Interpreters(Protocol):
    """Where code runs."""

    @property
    def problem(self) -> str | None:
        """Why nothing can run; None where it can."""
        ...

    def line(self, key: str | None) -> AbstractAsyncContextManager[Line]:
        """Return an interpreter for one call; with a key the one whose variables are kept, if they are at all."""
        ...

    @property
    def keeps(self) -> bool:
        """Whether variables of a session are kept."""
        ...


@dataclass(frozen=True, slots=True)
class CodeSettings:
    """Seconds for the code of a call, and how many calls run at once."""

    timeout_s: float
    at_once: int


class CodeInterpreter:
    """Runs Python. ``read`` gives the bytes of the files of a session."""

    def __init__(self, interpreters: Interpreters, folders: SessionFolders, read: Read, settings: CodeSettings) -> None:
        """Keep where code runs."""
        self._interpreters = interpreters
        self._folders = folders
        self._read = read
        self._settings = settings
        self._room = asyncio.Semaphore(settings.at_once)
        self.description = Description(
            name="code_interpreter",
            kind=Kind.BUILTIN,
            text="Run Python code without network; numpy, pandas and matplotlib are there.",
            parameters={"code": parameter("str", "The Python code to run.")},
            timeout_s=settings.timeout_s,
            grace_s=_GRACE_S,
        )

    @property
    def unavailable_reason(self) -> str | None:
        """Why no sandbox can run here."""
        problem = self._interpreters.problem
        return None if problem is None else f"no sandbox can run here: {problem}"

    async def run(self, arguments: Arguments, surroundings: Surroundings) -> Answer:
        """Run code and return what it wrote and drew.

        Raises:
            WrongState: no sandbox can run here.
        """
        session = surroundings.session_id
        folder = None if session is None else self._folders.of(surroundings.tenant, session)
        async with nullcontext() if folder is None else folder.lock:
            if folder is not None:
                await self._place(folder, surroundings.files)
            files = {} if folder is None else await asyncio.to_thread(folder.read)
            keep = session is not None and self._interpreters.keeps
            seconds = min(self._settings.timeout_s, surroundings.timeout_s)
            task = Task(str(arguments["code"]), files, seconds, not keep, surroundings.progress)
            outcome = await self._run(f"{surroundings.tenant}/{session}" if keep else None, task)
            left_out = []
            if folder is not None and (outcome.changed or outcome.removed):
                left_out = await asyncio.to_thread(folder.write, outcome.changed, outcome.removed)
        return _answer(outcome, left_out, seconds)

    async def _run(self, key: str | None, task: Task) -> Outcome:
        async with self._room, self._interpreters.line(key) as line:
            try:
                return await line.run(task)
            except EOFError:
                return Outcome(note=_GONE)

    async def _place(self, folder: SessionFolder, files: tuple[SessionFile, ...]) -> None:
        placings = [Placing(each.name, await self._read(each.attachment)) for each in files]
        await asyncio.to_thread(folder.place, placings)


def _answer(outcome: Outcome, left_out: list[str], seconds: float) -> Answer:
    """Return the result as a model reads it: a status line, then what was written where there is something."""
    errors = [outcome.stderr.rstrip("\n"), outcome.note]
    if outcome.status == Status.TIMEOUT.value:
        errors.append(f"ended: the code ran for more than {seconds:g} s")
    if outcome.clipped:
        errors.append("output was left out: there was too much of it")
    if left_out:
        errors.append(f"not kept, the session has too many or too large files: {', '.join(left_out[:10])}")
    pieces = [outcome.status]
    for name, text in (("stdout", outcome.stdout.rstrip("\n")), ("stderr", "\n".join(filter(None, errors)))):
        if text:
            pieces += [f"[{name}]", text, f"[/{name}]"]
    plots = [each for each in outcome.figures if each.startswith(_PNG)]
    if not outcome.figures:
        plots = [each for each in outcome.changed.values() if each.startswith(_PNG)]
    return Answer(("\n".join(pieces), *map(_plot, plots)), Status(outcome.status), outcome.clipped)


def _plot(image: bytes) -> Attachment:
    data = base64.b64encode(image).decode("ascii")
    return Attachment(url=Url(uri=f"data:image/png;base64,{data}"), mime_type="image/png")
