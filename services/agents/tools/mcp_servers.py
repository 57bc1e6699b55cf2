"""The MCP servers of all tenants while the service runs: connections that are kept, and what each server offers.

One server that does not answer harms no other: it has no tools until it is tried again, after a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Final
from weakref import WeakValueDictionary

import httpx2

from llamastack.tools.v1.mcp_server_pb2 import RegisterMcpServerRequest, StdioTransport, StreamableHttpTransport
from mesh.addresses import AddressGuard, AddressRefused
from mesh.errors import InvalidField, MeshError
from services.agents.tools import caller
from services.agents.tools.mcp_connection import Connection, Open, RemoteTool, by_http, by_stdio
from services.agents.tools.rest import Secrets
from services.agents.tools.tool import Answer, Arguments

_AUTHORIZATION: Final = "authorization"
_KNOWN: Final = 4096
"""Servers of which it is kept what they offer."""


@dataclass(frozen=True, slots=True)
class McpSettings:
    """How servers are reached.

    ``commands`` are the programs that may be started, ``start_s`` seconds for getting ready and for listing tools,
    ``fresh_s`` seconds that a list of tools is good for, ``retry_s`` seconds before a server that did not answer is
    tried again, ``idle_s`` seconds after which an unused connection is closed, ``connections`` how many are kept,
    ``most`` bytes of an answer.
    """

    commands: frozenset[str] = frozenset()
    start_s: float = 20.0
    fresh_s: float = 60.0
    retry_s: float = 15.0
    idle_s: float = 600.0
    connections: int = 64
    most: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered server; ``created_at`` is Unix seconds."""

    tenant: str
    spec: RegisterMcpServerRequest
    created_at: float

    @property
    def server_id(self) -> str:
        """The server's id."""
        return self.spec.server_id


@dataclass(slots=True)
class Offer:
    """What is known of a server: its allowed tools, or why there are none; ``until`` is when to ask again."""

    tools: list[RemoteTool] = field(default_factory=list)
    problem: str | None = None
    until: float = 0.0


@dataclass(slots=True)
class _Kept:
    connection: Connection
    used_at: float


class McpServers:
    """Talks to servers. ``clock`` gives seconds that never go back."""

    def __init__(
        self,
        guard: AddressGuard,
        secrets: Secrets,
        settings: McpSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing before somebody asks."""
        self._guard = guard
        self._secrets = secrets
        self._settings = settings
        self._clock = clock
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()
        self._offers: dict[tuple[str, ...], Offer] = {}
        self._asking: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._closing: set[asyncio.Task[None]] = set()

    async def check(self, spec: RegisterMcpServerRequest) -> None:
        """Refuse a server that may not be used.

        Raises:
            InvalidField: its command or address is not allowed.
            WrongState: a secret that it names is not configured.
        """
        if spec.transport.WhichOneof("transport") == "stdio":
            self._command(spec.transport.stdio)
            self._secrets.named(spec.transport.stdio.secret_env)
            return
        http = spec.transport.streamable_http
        self._secrets.named(http.secret_headers)
        url = _url(http.url.uri)
        try:
            await self._guard.address_of(url.host, url.port or (443 if url.scheme == "https" else 80))
        except AddressRefused as error:
            raise InvalidField("transport.url", error.expected) from error

    def known(self, server: Registered) -> Offer | None:
        """Return what is known of a server, as the caller sees it, without asking it; None if nothing is."""
        return self._offers.get(_own(server))

    async def offer(self, server: Registered, *, anew: bool = False) -> Offer:
        """Return what a server offers the caller, asking it if that is not known well enough.

        It never raises for a broken one.
        """
        key = _own(server)
        asking = self._asking.setdefault(key, asyncio.Lock())
        async with asking:
            known = self._offers.get(key)
            if known is not None and self._clock() < known.until and not anew:
                return known
            offer = await self._ask(server)
            self._offers.pop(key, None)
            self._offers[key] = offer
            # of a server that was forgotten elsewhere nobody hears here
            if len(self._offers) > _KNOWN:
                del self._offers[next(iter(self._offers))]
            return offer

    async def call(self, server: Registered, name: str, arguments: Arguments, timeout_s: float) -> Answer:
        """Run a tool by the server's own name for it.

        Raises:
            BackendUnavailable: the server does not answer.
            TimeoutError: the time was up.
            WrongState: the server's settings can't be met any more.
        """
        return await self._connection(server).call(name, arguments, timeout_s)

    async def forget(self, server: Registered) -> None:
        """Close the connections to a server that is no more."""
        key = _key(server)
        for offered in [offered for offered in self._offers if offered[: len(key)] == key]:
            del self._offers[offered]
        for each in [kept for kept in self._kept if kept[: len(key)] == key]:
            await self._kept.pop(each).connection.close()

    async def close(self) -> None:
        """Close all connections."""
        kept = [self._kept.popitem()[1].connection for _ in range(len(self._kept))]
        await asyncio.gather(*(connection.close() for connection in kept), *self._closing)

    async def _ask(self, server: Registered) -> Offer:
        allowed = set(server.spec.allowed_tools)
        try:
            tools = await self._connection(server).tools()
        except MeshError as error:
            return Offer(problem=error.message, until=self._clock() + self._settings.retry_s)
        chosen = [tool for tool in tools if not allowed or tool.name in allowed]
        return Offer(sorted(chosen, key=lambda tool: tool.name), until=self._clock() + self._settings.fresh_s)

    def _connection(self, server: Registered) -> Connection:
        """Return the connection to a server, the one that is there if it works."""
        self._tidy()
        token, key = _token(server), _own(server)
        kept = self._kept.pop(key, None)
        if kept is None or kept.connection.broken:
            if kept is not None:
                self._close_soon(kept.connection)
            kept = _Kept(Connection(self._opener(server.spec, token), self._settings.start_s), 0.0)
        kept.used_at = self._clock()
        self._kept[key] = kept
        return kept.connection

    def _tidy(self) -> None:
        """Close connections that nobody used for long, and those that are too many."""
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            idle = self._clock() - oldest.used_at > self._settings.idle_s
            if not idle and len(self._kept) < self._settings.connections:
                return
            del self._kept[key]
            self._close_soon(oldest.connection)

    def _close_soon(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _opener(self, spec: RegisterMcpServerRequest, token: str | None) -> Open:
        if spec.transport.WhichOneof("transport") == "stdio":
            stdio = spec.transport.stdio
            self._command(stdio)
            env = {**stdio.env, **self._secrets.named(stdio.secret_env)}
            return partial(by_stdio, stdio.command, tuple(stdio.args), env)
        http = spec.transport.streamable_http
        headers: Mapping[str, str] = {**http.headers, **self._secrets.named(http.secret_headers)}
        if token is not None:
            kept = {name: value for name, value in headers.items() if name.lower() != _AUTHORIZATION}
            headers = {**kept, _AUTHORIZATION: token}
        return partial(by_http, http.url.uri, headers, self._guard, self._settings.most)

    def _command(self, stdio: StdioTransport) -> None:
        if stdio.command not in self._settings.commands:
            raise InvalidField("transport.command", "one of the commands that the service's settings list is needed")


def _token(server: Registered) -> str | None:
    """Return the caller's token if the server is to get it."""
    transport = server.spec.transport
    http: StreamableHttpTransport = transport.streamable_http
    passes = transport.WhichOneof("transport") == "streamable_http" and http.pass_caller_token
    return caller.authorization() if passes else None


def _key(server: Registered) -> tuple[str, ...]:
    return server.tenant, server.server_id, repr(server.created_at)


def _own(server: Registered) -> tuple[str, ...]:
    """Return the key of what is the caller's own with a server that gets its token, and everybody's with others."""
    token = _token(server)
    return (*_key(server), "" if token is None else sha256(token.encode()).hexdigest())


def _url(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise InvalidField("transport.url", "a valid URL is needed") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidField("transport.url", "a URL of http: or https: is needed")
    return url
