"""What ``python -m services.<name>`` does: serve until a signal comes, or ``migrate`` the database and end.

Serving takes ``--insecure``, see :mod:`mesh.arguments`.

``migrate`` alone brings every table of the service up to date. ``migrate memory=0001`` takes those of the folder
``memory`` to that revision, forwards or back; ``base`` stands for none. ``migrate --show`` changes nothing. Going back
is for the newer version: an older one doesn't know what the newer one made.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from mesh.arguments import told
from mesh.config import ConfigError, load
from mesh.errors import MeshError, WrongState
from mesh.migrations import HEAD, Migrations, State, migrate, states
from mesh.server import Server, serve
from mesh.storage import Storage, StorageConfig
from mesh.telemetry.process import ProcessTelemetry, TelemetryConfig

MIGRATE: Final = "migrate"
SHOW: Final = "--show"


class Settings(Protocol):
    """The settings of a service, as far as they are looked at here."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def telemetry(self) -> TelemetryConfig:
        """How the process is watched."""
        ...


class Stateful(Settings, Protocol):
    """The settings of a service with a database."""

    def database(self) -> StorageConfig:
        """Return where the database is."""
        ...


class App(Protocol):
    """A service put together."""

    server: Server

    async def begin(self) -> None:
        """Begin what runs besides the server."""

    async def stop(self) -> None:
        """Close everything."""


Config = TypeVar("Config", bound=Settings)
Kept = TypeVar("Kept", bound=Stateful)


@dataclass(frozen=True)
class Database(Generic[Kept]):
    """The database of a service: where its settings say it is, and the folders of its migrations in their order."""

    several: Sequence[Migrations]

    async def run(self, config: Kept, wanted: Mapping[str, str], *, show: bool) -> list[str]:
        """Migrate the named folders, all of them to their newest where none is named; return a line for each.

        Raises:
            ConfigError: there is no such folder or revision, or the database can't be reached.
        """
        if unknown := sorted(wanted.keys() - {each.name for each in self.several}):
            raise ConfigError([f"migrate: there is no {unknown[0]}, but {', '.join(one.name for one in self.several)}"])
        storage = Storage(config.database())
        try:
            before = await states(storage, self.several)
            if not show:
                for each in self.several:
                    if not wanted or each.name in wanted:
                        await migrate(storage, [each], wanted.get(each.name, HEAD))
            return [_line(*pair) for pair in zip(before, await states(storage, self.several), strict=True)]
        except MeshError as error:
            raise ConfigError([error.message]) from error
        finally:
            await storage.close()


def _line(before: State, after: State) -> str:
    moved = after.current if before.current == after.current else f"{before.current} -> {after.current}"
    return f"{after.name}: {moved}" + ("" if after.current == after.head else f" (newest is {after.head})")


def serving(
    name: str, make: Callable[[Config, ProcessTelemetry], App], begun: Callable[[], None] = lambda: None
) -> Callable[[Config], Awaitable[None]]:
    """Return what serves an app until a signal comes; ``begun`` is called before its first call."""

    async def run(config: Config) -> None:
        telemetry = ProcessTelemetry(config.telemetry, name)
        telemetry.start()
        app = make(config, telemetry)
        try:
            await app.begin()
        except WrongState as error:
            # what a newer version left behind stays so, however often this one is started
            await app.stop()
            raise ConfigError([error.message]) from error
        begun()
        await serve(app.server, closing=app.stop)

    return run


@dataclass(frozen=True)
class Service(Generic[Config]):
    """What a process is: its name, its settings, what serves them, and its database if it has one."""

    name: str
    config: type[Config]
    run: Callable[[Config], Awaitable[None]]
    database: Database[Any] | None = None

    def main(self, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
        """Return 0 after an orderly end, 2 for a configuration or a command that can't work."""
        try:
            asyncio.run(self._command(arguments, environ))
        except ConfigError as error:
            for problem in error.problems:
                print(f"{self.name}: {problem}", file=sys.stderr)
            return 2
        return 0

    def _command(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Coroutine[Any, Any, None]:
        if self.database is not None and arguments and arguments[0] == MIGRATE:
            return self._migrate(self.database, load(self.config, environ, service=self.name), arguments[1:])
        return self._serve(load(self.config, told(self.name, arguments, environ), service=self.name))

    async def _serve(self, config: Config) -> None:
        await self.run(config)

    async def _migrate(self, database: Database[Any], config: Config, arguments: Sequence[str]) -> None:
        show = list(arguments) == [SHOW]
        wanted = {} if show else dict(_target(argument) for argument in arguments)
        for line in await database.run(config, wanted, show=show):
            print(line)


def _target(argument: str) -> tuple[str, str]:
    name, equals, revision = argument.partition("=")
    if not (name and equals and revision):
        raise ConfigError([f"migrate: {argument} is neither name=revision nor {SHOW}"])
    return name, revision
