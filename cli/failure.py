"""How the command fails: one line for a person, and an exit code for a script.

========  =====================================================================
code      meaning
========  =====================================================================
0         it worked
1         the service refused or failed; the message is its own
2         the command line or the configuration is wrong
3         a service can't be reached, or did not answer in time
4         credentials are missing or not sufficient
130       interrupted
========  =====================================================================
"""

from __future__ import annotations

from typing import Final

import click
import grpc

from mesh.errors import MeshError

REFUSED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
FORBIDDEN: Final = 4
INTERRUPTED: Final = 130

_CODES: Final = {
    grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: UNREACHABLE,
    grpc.StatusCode.UNAUTHENTICATED: FORBIDDEN,
    grpc.StatusCode.PERMISSION_DENIED: FORBIDDEN,
}


_HINTS: Final = {
    grpc.StatusCode.UNAVAILABLE: "; is it running at {where}? `altiplano up` starts everything",
    grpc.StatusCode.UNAUTHENTICATED: "; put a key into ALTIPLANO_API_KEY, `altiplano key` makes one",
}


class Failure(click.ClickException):
    """An error that ends the command with an exit code of the table above."""

    exit_code: int  # type: ignore[misc]  # click declares it for the class and sets it on instances

    def __init__(self, message: str, exit_code: int = REFUSED) -> None:
        """Keep the message, one line without a full stop at its beginning."""
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, file: object = None) -> None:
        """Print the message to standard error."""
        click.echo(f"altiplano: {self.message}", err=True)


def failure_of(error: MeshError, where: str) -> Failure:
    """Return the failure for an error that a service answered with."""
    code = error.code.name
    hint = _HINTS.get(error.code, "").format(where=where)
    return Failure(f"{code}: {error.message}{hint}", _CODES.get(error.code, REFUSED))
