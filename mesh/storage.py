"""Relational state through SQLAlchemy: SQLite in a file by default, PostgreSQL by URL; the same code on both.

A transaction is a block::

    async with storage.writing() as session:
        session.add(row)

It commits at the end of the block and rolls back on an exception. On SQLite a writing transaction takes the write lock
when it begins, so that it waits for its turn instead of failing in the middle; a reading one never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool, StaticPool

from mesh.config import ConfigError, setting
from mesh.errors import BackendUnavailable, MeshError, ResourceBusy

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
IN_DATA: Final = "sqlite://"
"""Stands for a file in the service's own folder, see :meth:`StorageConfig.or_file`."""
_DRIVERS: Final = {SQLITE: "sqlite+aiosqlite", POSTGRESQL: "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_WRITE: Final = "mesh_write"
_IN_MEMORY: Final = (None, "", ":memory:")
_LOCKED: Final = ("database is locked", "deadlock detected", "lock timeout")

Result = TypeVar("Result")


@dataclass(frozen=True)
class StorageConfig:
    """Which database a service keeps its state in."""

    url: str = setting(
        "DATABASE_URL",
        IN_DATA,
        "sqlite:///file or postgresql://user:password@host/name; by default a file in DATA.",
        secret=True,
    )
    replicas: int = setting("REPLICAS", 1, "Processes of this service that share the database.")
    pool_size: int = setting("DATABASE_POOL_SIZE", 8, "Connections that are kept.")
    wait_s: float = setting("DATABASE_WAIT_S", 10.0, "Seconds to wait for a connection or for a lock.")

    def __post_init__(self) -> None:
        """Refuse what would corrupt or lose state."""
        kind = normalize(self.url).get_backend_name()
        if self.replicas > 1 and kind == SQLITE:
            raise ValueError(
                f"DATABASE_URL: {self.replicas} replicas can't share a SQLite file; give a postgresql:// URL"
            )
        if self.replicas < 1 or self.pool_size < 1 or self.wait_s <= 0:
            raise ValueError("REPLICAS, DATABASE_POOL_SIZE and DATABASE_WAIT_S are positive")

    def or_file(self, file: Path) -> StorageConfig:
        """Return the same with a SQLite file where no database is configured."""
        return replace(self, url=f"sqlite:///{file}") if self.url == IN_DATA else self


def normalize(url: str) -> URL:
    """Return the URL with the asynchronous driver in it.

    Raises:
        ValueError: it is not a URL of SQLite or PostgreSQL; the text does not repeat it, it may hold a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("DATABASE_URL: not a URL") from error
    driver = _DRIVERS.get(parsed.drivername.partition("+")[0])
    if driver is None:
        raise ValueError(f"DATABASE_URL: {parsed.drivername} is neither sqlite nor postgresql")
    return parsed.set(drivername=driver)


class Storage:
    """The connections of one process to one database; a SQLite file's folder is made if it is not there.

    Raises:
        ConfigError: the folder can't be made.
    """

    def __init__(self, config: StorageConfig) -> None:
        url = normalize(config.url)
        self.kind = url.get_backend_name()
        self.engine = _sqlite(url, config) if self.kind == SQLITE else _postgresql(url, config)
        is_file = self.kind == SQLITE and url.database not in _IN_MEMORY
        self._file = _sqlite_file(url, config) if is_file else None
        # an engine with options of its own costs as much as a small query
        self._engines = {writes: self.engine.execution_options(**{_WRITE: writes}) for writes in (False, True)}
        self._files = (
            {}
            if self._file is None
            else {writes: self._file.execution_options(**{_WRITE: writes}) for writes in (False, True)}
        )
        self._threads = ThreadPoolExecutor(config.pool_size, "storage")
        self._reading = async_sessionmaker(self.engine, expire_on_commit=False)
        writer = self.engine.execution_options(**{_WRITE: True})
        self._writing = async_sessionmaker(writer, expire_on_commit=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that only reads.

        Raises:
            BackendUnavailable: the database can't be reached.
        """
        with _translated():
            async with self._reading.begin() as session:
                await _connect(session)
                yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that writes.

        Raises:
            BackendUnavailable: the database can't be reached.
            ResourceBusy: a lock was not to be had in time.
        """
        with _translated():
            async with self._writing.begin() as session:
                await _connect(session)
                yield session

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what a function finds in a transaction that only reads; it must not touch the event loop.

        Statements of a SQLite file run in one go in a thread, so that they cost one change of threads and not several
        each; those of PostgreSQL wait on the event loop.

        Raises:
            BackendUnavailable: the database can't be reached.
        """
        return await self._run(work, writes=False)

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Return what a function gives that writes in a transaction; otherwise as :meth:`read`.

        Raises:
            BackendUnavailable: the database can't be reached.
            ResourceBusy: a lock was not to be had in time.
        """
        return await self._run(work, writes=True)

    async def _run(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        with _translated():
            if self._files:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, _in_transaction, self._files[writes], work)
            connection = self._engines[writes].connect()
            try:
                await connection.start()
            except OSError as error:
                raise BackendUnavailable("the database can't be reached") from error
            try:
                async with connection.begin():
                    return await connection.run_sync(work)
            finally:
                await connection.close()

    async def check(self) -> None:
        """Ask the database for a sign of life; made to be the check of a health dependency.

        Raises:
            BackendUnavailable: there is none.
        """
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
        self._threads.shutdown()
        if self._file is not None:
            self._file.dispose()


async def _connect(session: AsyncSession) -> None:
    """Connect now, where a failure can't be mistaken for one of the transaction's own."""
    try:
        await session.connection()
    except OSError as error:
        raise BackendUnavailable("the database can't be reached") from error


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what drivers raise when the database is away or locked into errors of the mesh."""
    try:
        yield
    except SQLAlchemyError as error:
        if (told := _tell(error)) is None:
            raise
        raise told from error


def _tell(error: SQLAlchemyError) -> MeshError | None:
    """Return the error of the mesh that a driver's stands for, or None if it is not about reaching the database."""
    if isinstance(error, PoolTimeout):
        return BackendUnavailable("the database has no connection left")
    if isinstance(error, DBAPIError):
        said = str(error.orig)
        if any(sign in said for sign in _LOCKED):
            return ResourceBusy("the database is locked by another transaction")
        if error.connection_invalidated or (isinstance(error, OperationalError | InterfaceError) and _away(said)):
            return BackendUnavailable("the database can't be reached")
    return None


def _away(said: str) -> bool:
    """Return whether a driver's text says that the database is not there, not that a statement is wrong."""
    signs = ("unable to open database", "connection", "Connect call failed", "terminating", "shutting down")
    return any(sign in said for sign in signs)


def _sqlite(url: URL, config: StorageConfig) -> AsyncEngine:
    options: dict[str, Any] = {"connect_args": {"timeout": config.wait_s}}
    if url.database in _IN_MEMORY:
        # a database in memory lives as long as its one connection
        options["poolclass"] = StaticPool
    else:
        _make_folder(Path(url.database or ""))
        options |= {"pool_size": config.pool_size, "max_overflow": 0, "pool_timeout": config.wait_s}
    engine = create_async_engine(url, **options)
    _prepare(engine.sync_engine)
    return engine


def _sqlite_file(url: URL, config: StorageConfig) -> Engine:
    """Return an engine over the same file for whole transactions in threads."""
    engine = create_engine(
        url.set(drivername=SQLITE),
        connect_args={"timeout": config.wait_s, "check_same_thread": False},
        pool_size=config.pool_size,
        max_overflow=0,
        pool_timeout=config.wait_s,
        poolclass=QueuePool,
    )
    _prepare(engine)
    return engine


def _in_transaction(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    with engine.begin() as connection:
        return work(connection)


def _prepare(engine: Engine) -> None:
    """Have connections to SQLite behave as the module says."""

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        # the driver would begin transactions by itself, and too late
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"DATABASE_URL: the folder of {file.name} can't be made ({error.strerror})"]) from error


def _postgresql(url: URL, config: StorageConfig) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=config.pool_size,
        max_overflow=0,
        pool_timeout=config.wait_s,
        pool_pre_ping=True,
        connect_args={
            "timeout": config.wait_s,
            "server_settings": {"lock_timeout": str(int(config.wait_s * 1000)), "application_name": "altiplano"},
        },
    )
