"""What code finds and leaves in the sandbox."""

from __future__ import annotations

import pytest

from services.agents.sandbox.sandbox import Outcome, Sandbox, Task
from tests.integration.agents.sandbox.running import run

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANGES = """
import os
import pandas as pd
frame = pd.read_csv("/mnt/data/data.csv")
print(frame.b.sum())
with open("notes/new.txt", "w") as file:
    file.write("new")
os.remove("notes/old.txt")
with open("data.csv", "a") as file:
    file.write("5,6")
3
"""
PLOTS = """
import matplotlib.pyplot as plt
for n in range(5):
    plt.figure()
    plt.plot([1, n])
plt.show()
print(plt.get_fignums())
"""


async def test_output_and_the_value_of_the_last_expression_come_back(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "import sys\nprint('a')\nprint('b', file=sys.stderr)\n6 * 7")
    assert outcome == Outcome(status="completed", stdout="a\n42\n", stderr="b\n", alive=True)


async def test_an_error_is_told_as_python_tells_it(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def f():\n    return 1 / 0\nf()")
    told = (
        'Traceback (most recent call last):\n  File "<code>", line 3, in <module>\n    f()\n'
        '  File "<code>", line 2, in f\n    return 1 / 0\n           ~~^~~\nZeroDivisionError: division by zero\n'
    )
    assert outcome == Outcome(status="error", stderr=told, alive=True)


@pytest.mark.parametrize(
    ("code", "status", "stderr"),
    [
        ("raise SystemExit", "completed", ""),
        ("exit(0)", "completed", ""),
        ("raise SystemExit(3)", "error", ""),
        ("raise SystemExit('no')", "error", "no\n"),
    ],
)
async def test_code_may_end_itself(sandbox: Sandbox, code: str, status: str, stderr: str) -> None:
    outcome = await run(sandbox, code)
    assert (outcome.status, outcome.stderr) == (status, stderr)


async def test_code_that_is_no_python_is_an_error(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "x = (")
    assert (outcome.status, "SyntaxError: '(' was never closed" in outcome.stderr) == ("error", True)


async def test_an_interpreter_that_ends_itself_is_told(sandbox: Sandbox) -> None:
    assert await run(sandbox, "import os\nos._exit(3)") == Outcome(note="the interpreter ended with exit code 3")


async def test_files_are_there_and_changed_ones_come_back(sandbox: Sandbox) -> None:
    files = {"data.csv": b"a,b\n1,2\n3,4\n", "notes/old.txt": b"old", "same.txt": b"same"}
    outcome = await run(sandbox, CHANGES, files)
    changed = {"data.csv": b"a,b\n1,2\n3,4\n5,6", "notes/new.txt": b"new"}
    assert outcome == Outcome(
        status="completed", stdout="6\n3\n", changed=changed, removed=["notes/old.txt"], alive=True
    )


async def test_plots_come_back_as_png_files(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, PLOTS)
    assert (outcome.status, outcome.stdout, outcome.stderr) == ("completed", "[]\n", "")
    assert [figure[:8] for figure in outcome.figures] == [b"\x89PNG\r\n\x1a\n"] * 3


async def test_a_plot_that_is_not_shown_comes_back_as_well(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "import matplotlib.pyplot as plt\nplt.title('日本')\nx = plt.plot([1, 2])\n1 / 0")
    assert (outcome.status, len(outcome.figures)) == ("error", 1)


async def test_variables_stay_while_the_line_is_open(sandbox: Sandbox) -> None:
    line = await sandbox.connect()
    try:
        assert await line.run(Task("x = 41", last=False)) == Outcome(status="completed", alive=True)
        assert (await line.run(Task("x + 1", last=False))).stdout == "42\n"
        assert (await line.run(Task("while True:\n    pass", timeout_s=1, last=False))).alive is False
        with pytest.raises(EOFError):
            await line.run(Task("x", last=False))
    finally:
        await line.close()


async def test_output_is_passed_on_while_code_runs(sandbox: Sandbox) -> None:
    told: list[str] = []

    async def progress(text: str) -> None:
        told.append(text)

    line = await sandbox.connect()
    await line.run(Task("import time\nprint('a', flush=True)\ntime.sleep(0.3)\nprint('b')", progress=progress))
    await line.close()
    assert told == ["a\n", "b\n"]
