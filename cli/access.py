"""How the command line proves who it is, and ``altiplano key``, which makes the proof."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from cli.failure import USAGE, Failure
from mesh.auth.apikeys import new_key
from mesh.channel import Pairs
from mesh.client import Client, ClientConfig
from mesh.config import ConfigError, load
from mesh.credentials import TlsConfig
from mesh.metadata import API_KEY

VARIABLE: Final = "ALTIPLANO_API_KEY"
_SCOPE: Final = re.compile(r"(\*|[a-z_]+):(\*|read|use|write|admin)")


class KeyCompanion:
    """Sends an API key along with every call."""

    def __init__(self, key: str) -> None:
        self._pairs: Pairs = ((API_KEY, key),)

    def outgoing(self, path: str) -> tuple[Pairs, Callable[[Any], None] | None]:
        """Return the key as metadata."""
        return self._pairs, None


def client() -> Client:
    """Return a client of services, with the key that ``ALTIPLANO_API_KEY`` holds, if any.

    Raises:
        Failure: the settings of clients (``ALTIPLANO_TLS_CA``, for example) can't work, or the key can't be sent.
    """
    secret = os.environ.get(VARIABLE, "")
    if not (secret.isascii() and secret.isprintable()):
        raise Failure(f"{VARIABLE} is not printable ASCII", USAGE)
    return Client(client_config(), [KeyCompanion(secret)] if secret else [])


def client_config() -> ClientConfig:
    """Return the settings of clients, whose files can be read.

    Raises:
        Failure: they can't work.
    """
    try:
        config = load(ClientConfig, os.environ, service="cli")
        config.tls.channel()
    except (ConfigError, OSError) as error:
        raise Failure(str(error), USAGE) from error
    return config


def client_tls() -> TlsConfig:
    """Return the files with which services are called.

    Raises:
        Failure: they can't be read.
    """
    return client_config().tls


def _fit_scopes(context: click.Context, parameter: click.Parameter, scopes: tuple[str, ...]) -> tuple[str, ...]:
    for scope in scopes:
        if _SCOPE.fullmatch(scope) is None:
            raise click.BadParameter(f"{scope!r} is not AREA:ACTION; actions are read, use, write, admin and *")
    return scopes


@click.command()
@click.argument("name")
@click.option("--tenant", default="default", show_default=True, help="Whose data the key gives access to.")
@click.option(
    "--scope", "scopes", multiple=True, callback=_fit_scopes, help="AREA:ACTION, as in inference:use; repeatable."
)
@click.option("--days", type=click.IntRange(min=1), help="Days until the key expires; default never.")
def key(name: str, tenant: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make an API key called NAME; without --scope it opens everything.

    Prints the key to standard error, for its user, and to standard output a list for ALTIPLANO_API_KEYS, or for the
    file that ALTIPLANO_API_KEYS_FILE names. The list holds the key's hash alone; nothing else is kept.
    """
    secret, digest = new_key()
    entry: dict[str, Any] = {"name": name, "tenant": tenant, "sha256": digest, "scopes": list(scopes) or ["*:*"]}
    if days is not None:
        entry["expires"] = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    click.echo(f"{VARIABLE}={secret}", err=True)
    click.echo(json.dumps([entry]))
