"""The command line of a process of the mesh: its settings are in the environment, and ``--insecure`` is one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mesh.config import ConfigError, names

INSECURE: Final = "--insecure"


def told(service: str, arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service, ``memory`` for example, with what its arguments say on top.

    Raises:
        ConfigError: there are other arguments.
    """
    if unknown := [argument for argument in arguments if argument != INSECURE]:
        raise ConfigError([f"{unknown[0]!r} is no option; there is {INSECURE}"])
    own = names("INSECURE", service)[0]
    return {**environ, own: "true"} if arguments else dict(environ)
