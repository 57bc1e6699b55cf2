"""The process of the code: runs what it is sent, once or again and again with the same variables."""

from __future__ import annotations

import ast
import io
import linecache
import os
import sys
import traceback
from types import CodeType
from typing import Any, Final

import matplotlib.figure
import matplotlib.pyplot as plt
from matplotlib._pylab_helpers import Gcf

_NAME: Final = "<code>"
FIGURES: Final = "figures"


class Worker:
    """Variables, and the plots that were shown; ``figures`` is the folder that plots go into."""

    def __init__(self, figures: str, most: int) -> None:
        """``most`` is the number of plots that are kept per run."""
        self._variables: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self._figures = figures
        self._most = most
        self._count = 0

    def run(self, code: str) -> bool:
        """Run code and return whether it ended well; what went wrong is on standard error."""
        self._count = 0
        own = os.getpid()
        linecache.cache[_NAME] = (len(code), None, code.splitlines(keepends=True), _NAME)
        plt.show = self._show
        try:
            well = self._execute(code)
        finally:
            if os.getpid() != own:
                # a process that the code forked ends where its code does
                _flush()
                os._exit(0)
            self._show()
            _flush()
        return well

    def _execute(self, code: str) -> bool:
        try:
            for part in _parts(code):
                exec(part, self._variables)
        except SystemExit as end:
            if end.code is None or end.code == 0:
                return True
            if not isinstance(end.code, int):
                print(end.code, file=sys.stderr)
            return False
        except BaseException as error:  # noqa: BLE001  # whatever the code raises is its result
            _report(error)
            return False
        return True

    def _show(self, *args: Any, **kwargs: Any) -> None:
        """Keep the open plots as PNG files; takes what ``pyplot.show`` takes."""
        for number in Gcf.figs.copy():
            if self._count < self._most:
                self._keep(Gcf.figs[number].canvas.figure)
        plt.close("all")

    def _keep(self, figure: matplotlib.figure.Figure) -> None:
        image = io.BytesIO()
        try:
            figure.savefig(image, format="png")
            os.makedirs(self._figures, exist_ok=True)
            with open(os.path.join(self._figures, f"{self._count:04}.png"), "wb") as file:
                file.write(image.getvalue())
        except Exception as error:  # noqa: BLE001  # a plot that can't be drawn is told like any other error
            _report(error)
        self._count += 1


def _parts(code: str) -> list[CodeType]:
    """Return the code compiled; the value of a last expression is printed as an interactive interpreter would."""
    tree = ast.parse(code, _NAME)
    body = tree.body
    if not body or not isinstance(last := body[-1], ast.Expr):
        return [compile(tree, _NAME, "exec")]
    first = ast.Module(body=body[:-1], type_ignores=tree.type_ignores)
    return [compile(first, _NAME, "exec"), compile(ast.Interactive(body=[last]), _NAME, "single")]


def _report(error: BaseException) -> None:
    """Print a traceback that begins in the code itself."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != _NAME:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace, file=sys.stderr)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # the code closed it
            continue
