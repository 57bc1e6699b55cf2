"""What a process is told on its command line."""

from __future__ import annotations

import pytest

from mesh.arguments import told
from mesh.config import ConfigError, load
from mesh.server import ServerConfig


@pytest.mark.parametrize(("arguments", "insecure"), [([], False), (["--insecure"], True)])
def test_insecure_is_said_in_so_many_words(arguments: list[str], insecure: bool) -> None:
    environ = told("memory", arguments, {"ALTIPLANO_BIND": "0.0.0.0:7103"})
    assert load(ServerConfig, environ, service="memory").insecure is insecure


def test_what_is_said_wins_over_what_is_set() -> None:
    environ = told("memory", ["--insecure"], {"ALTIPLANO_MEMORY_INSECURE": "false"})
    assert load(ServerConfig, environ, service="memory").insecure is True


def test_there_is_no_other_argument() -> None:
    with pytest.raises(ConfigError, match="'--port' is no option; there is --insecure"):
        told("memory", ["--insecure", "--port", "7103"], {})
