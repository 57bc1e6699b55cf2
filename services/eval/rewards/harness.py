"""The program that runs tests on an answer's code in the sandbox, and the line by which it tells how they went.

The answer's code becomes the module ``answer``; each function ``test_*`` of the tests is called without arguments. What
both of them write is dropped. The result is told behind a mark that is drawn for each run. Answer and tests share one
process, as tests that import an answer do anywhere: the mark keeps an answer from printing a result by chance or from
habit, and an answer that ends the process fails; one that is written to find the mark in memory could cheat.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Any, Final

_FENCE: Final = re.compile(
    r"^[ \t]*```[ \t]*(?:python3?|py)?[ \t]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)

_PROGRAM: Final = """\
import contextlib, io, json, os, signal, sys, types

mark, answer_code, test_code, seconds = json.loads({inputs})
result = {{"passed": 0, "failed": [], "broken": None}}


class TimeIsUp(BaseException):
    pass


def alarm(number, frame):
    raise TimeIsUp


def told(error):
    return f"{{type(error).__name__}}: {{error}}"[:300]


def run():
    module = sys.modules["answer"] = types.ModuleType("answer")
    try:
        exec(compile(answer_code, "answer", "exec"), module.__dict__)
        names = {{"__name__": "tests"}}
        exec(compile(test_code, "tests", "exec"), names)
    except (Exception, SystemExit) as error:
        result["broken"] = told(error)
        return
    for name, test in list(names.items()):
        if name.startswith("test_") and callable(test):
            try:
                test()
                result["passed"] += 1
            except (Exception, SystemExit) as error:
                result["failed"].append([name, told(error)])


signal.signal(signal.SIGALRM, alarm)
signal.setitimer(signal.ITIMER_REAL, seconds)
try:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run()
except TimeIsUp:
    result["broken"] = "timeout"
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
result["failed"] = result["failed"][:50]
print(mark + json.dumps(result), flush=True)
"""


class BadTests(Exception):
    """The tests can't be run whatever the answer is; the text says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the tests went: how many passed, which failed and why, or why none could be run."""

    passed: int
    failed: tuple[tuple[str, str], ...] = ()
    broken: str | None = None

    @property
    def fraction(self) -> float:
        """How much of the tests passed, 0 to 1."""
        total = self.passed + len(self.failed)
        return self.passed / total if total and self.broken is None else 0.0

    @property
    def explanation(self) -> str:
        """What happened, for a person."""
        if self.broken is not None:
            return f"the tests could not be run: {self.broken}"
        failures = "".join(f"\n{name}: {why}" for name, why in self.failed)
        return f"{self.passed} of {self.passed + len(self.failed)} tests passed{failures}"


def check_tests(tests: str) -> None:
    """Return if some tests can be run.

    Raises:
        BadTests: they are no Python, or have no function that is called test_*.
    """
    try:
        module = ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadTests("Python code is needed") from error
    if not any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(module)):
        raise BadTests("a test function test_* is needed")


def code_of(answer: str) -> str:
    """Return the Python code of an answer: its fenced blocks one after another, or all of it where it has none."""
    blocks = [block[1] for block in _FENCE.finditer(answer)]
    return "\n".join(blocks) if blocks else answer


def program(mark: str, answer: str, tests: str, seconds: float) -> str:
    """Return the Python code that runs tests on an answer's code and tells the result behind ``mark``."""
    return _PROGRAM.format(inputs=repr(json.dumps([mark, answer, tests, seconds])))


def read_result(output: str, mark: str) -> Result | None:
    """Return the result that a program told behind ``mark``; None where it told none."""
    lines = [line[len(mark) :] for line in output.splitlines() if line.startswith(mark)]
    try:
        said: Any = json.loads(lines[-1])
        failed = tuple((str(name), str(why)) for name, why in said["failed"])
        return Result(int(said["passed"]), failed, None if said["broken"] is None else str(said["broken"]))
    except (IndexError, ValueError, KeyError, TypeError):
        return None
