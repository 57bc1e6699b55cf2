"""What a call of the code interpreter costs when the sandbox is warm, against a cold bubblewrap with the same Python.

Prints p50 and p99 in milliseconds of: a warm call that prints; one that uses pandas; one that draws a plot; one of a
session that keeps its variables; and, as the peer of the same run, ``bwrap … python -c`` with nothing imported and with
what the warm process has imported.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "gen")]

from services.agents.sandbox import launch
from services.agents.sandbox.inside.plan import LANDLOCK, NAMESPACES
from services.agents.sandbox.sandbox import Bounds, Sandbox, Task

PRINT = "print(1)"
FRAME = "import pandas as pd\nprint(pd.DataFrame({'x': range(1000)}).x.sum())"
PLOT = "import matplotlib.pyplot as plt\nx = plt.plot([1, 2, 3])"
IMPORTS = "import numpy, pandas, matplotlib.pyplot; print(1)"


async def measure(name: str, rounds: int, once: Callable[[], Awaitable[None]]) -> float:
    """Print the percentiles of some rounds in milliseconds and return the median."""
    await once()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await once()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    median = statistics.median(times)
    print(f"{name:<44} p50 {median:9.1f} ms   p99 {times[int(len(times) * 0.99)]:9.1f} ms   ({rounds} rounds)")
    return median


async def warm(sandbox: Sandbox, code: str) -> None:
    """Run code in a fresh interpreter."""
    line = await sandbox.connect()
    outcome = await line.run(Task(code))
    await line.close()
    assert outcome.status == "completed", outcome


async def cold(code: str) -> None:
    """Run code in bubblewrap with a Python of its own."""
    command = launch.by_bubblewrap(0, "/mnt/data")
    command = [*command[: command.index("-I")], "-I", "-c", code]
    await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)


async def main() -> None:
    """Measure each way in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="warm calls of each kind")
    parser.add_argument("--cold-rounds", type=int, default=10, help="cold calls of each kind")
    asked = parser.parse_args()
    medians = {}
    for walls in (NAMESPACES, LANDLOCK):
        sandbox = Sandbox(Bounds(), (walls,))
        began = time.perf_counter()
        await sandbox.begin()
        if sandbox.problem is not None:
            print(f"{walls}: {sandbox.problem}")
            continue
        print(f"{walls}: started in {time.perf_counter() - began:.1f} s")
        for name, code in (("print", PRINT), ("pandas", FRAME), ("plot", PLOT)):
            rounds = asked.rounds
            medians[walls, name] = await measure(
                f"{walls}, warm, {name}", rounds, lambda box=sandbox, text=code: warm(box, text)
            )
        line = await sandbox.connect()

        async def kept(line=line) -> None:
            await line.run(Task(PRINT, last=False))

        await measure(f"{walls}, kept interpreter, print", asked.rounds, kept)
        await line.close()
        await sandbox.close()
    bare = await measure("bwrap python -c, cold, print", asked.cold_rounds, lambda: cold(PRINT))
    full = await measure("bwrap python -c, cold, the same imports", asked.cold_rounds, lambda: cold(IMPORTS))
    for (walls, name), median in medians.items():
        if name == "print":
            print(
                f"{walls}: {bare / median:.1f}x faster than cold and bare, {full / median:.0f}x than cold with imports"
            )


if __name__ == "__main__":
    asyncio.run(main())
