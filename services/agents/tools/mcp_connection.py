"""A session with one MCP server, through the official SDK; the only module that knows it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import mcp_types
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from llamastack.common.v1.content_pb2 import Attachment, Url
from mesh.addresses import AddressGuard, AddressRefused
from mesh.errors import BackendUnavailable
from services.agents.tools.guarded import GuardedTransport2
from services.agents.tools.tool import Answer, Status
from services.agents.tools.words import text_of

_PAGES: Final = 100
_INHERITED: Final = ("HOME", "LOGNAME", "SHELL", "TERM", "USER")
_BROKEN: Final = (OSError, MCPError, httpx2.HTTPError, AddressRefused, ValidationError, ExceptionGroup)
Open = Callable[[], AbstractAsyncContextManager[Client]]


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool as its server describes it; ``name`` is the server's own."""

    name: str
    text: str
    schema: Mapping[str, Any]
    idempotent: bool


class Connection:
    """One open session. A task of its own owns it, because the SDK wants it closed where it was opened."""

    def __init__(self, open_client: Open, start_s: float) -> None:
        """``start_s`` is seconds for getting ready."""
        self._open = open_client
        self._start_s = start_s
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._own())

    @property
    def broken(self) -> bool:
        """Whether it can't be used any more."""
        return self._task.done() or self._stop.is_set()

    async def tools(self) -> list[RemoteTool]:
        """Return the server's tools.

        Raises:
            BackendUnavailable: the server does not answer.
        """
        client = await self._client()
        found: list[RemoteTool] = []
        cursor: str | None = None
        try:
            async with asyncio.timeout(self._start_s):
                for _ in range(_PAGES):
                    page = await client.list_tools(cursor=cursor, cache_mode="bypass")
                    found += [_remote(tool) for tool in page.tools]
                    cursor = page.next_cursor
                    if cursor is None:
                        break
        except (*_BROKEN, TimeoutError) as error:
            self._stop.set()
            raise BackendUnavailable("the MCP server does not list its tools") from error
        return found

    async def call(self, name: str, arguments: Mapping[str, Any], timeout_s: float) -> Answer:
        """Run a tool; an error that the server tells of is an answer.

        Raises:
            BackendUnavailable: the connection broke.
            TimeoutError: the time was up.
        """
        client = await self._client()
        try:
            async with asyncio.timeout(timeout_s):
                return _answer(await client.call_tool(name, dict(arguments)))
        except MCPError as error:
            if error.code == mcp_types.CONNECTION_CLOSED or self._task.done():
                self._stop.set()
                raise BackendUnavailable("the connection to the MCP server broke") from error
            return Answer((f"the MCP server reports an error: {error.message}",), Status.ERROR)
        except TimeoutError:
            raise
        except _BROKEN as error:
            self._stop.set()
            raise BackendUnavailable("the MCP server gave an answer that can't be read") from error

    async def close(self) -> None:
        """End the session."""
        self._stop.set()
        await asyncio.wait([self._task])

    async def _client(self) -> Client:
        return await asyncio.shield(self._ready)

    async def _own(self) -> None:
        try:
            async with asyncio.timeout(self._start_s) as limit, self._open() as client:
                limit.reschedule(None)
                self._ready.set_result(client)
                await self._stop.wait()
        except (*_BROKEN, TimeoutError) as error:
            self._fail(BackendUnavailable(_told(error)))
        finally:
            self._stop.set()
            self._fail(BackendUnavailable("the connection to the MCP server was closed"))

    def _fail(self, error: BackendUnavailable) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            # nobody may be waiting
            self._ready.exception()


@asynccontextmanager
async def by_stdio(command: str, args: tuple[str, ...], env: Mapping[str, str]) -> AsyncIterator[Client]:
    """Start a server as a process whose environment is ``env`` and the path; what it writes besides is dropped."""
    # the SDK adds these of the service's own to what a server gets
    unset = [part for name in _INHERITED if name not in env for part in ("-u", name)]
    given = {"PATH": os.environ.get("PATH", os.defpath), **env}
    parameters = StdioServerParameters(command="env", args=[*unset, "--", command, *args], env=given)
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230  # opening it never waits
        async with Client(stdio_client(parameters, errlog=nowhere), cache=None) as client:
            yield client


@asynccontextmanager
async def by_http(url: str, headers: Mapping[str, str], guard: AddressGuard, most: int) -> AsyncIterator[Client]:
    """Connect to a server by Streamable HTTP; ``most`` is bytes of one answer."""
    timeout = httpx2.Timeout(30.0, read=None)
    transport = GuardedTransport2(guard, most)
    async with httpx2.AsyncClient(transport=transport, headers=dict(headers), timeout=timeout) as http:
        transport_of = streamable_http_client(url, http_client=http, max_sse_event_size=most)
        async with Client(transport_of, cache=None) as client:
            yield client


def _told(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "the MCP server does not answer in time"
    if isinstance(error, FileNotFoundError | PermissionError):
        return "the MCP server can't be started"
    return "the MCP server does not answer"


def _remote(tool: mcp_types.Tool) -> RemoteTool:
    hints = tool.annotations
    idempotent = hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
    return RemoteTool(tool.name, tool.description or "", tool.input_schema, idempotent)


def _answer(result: mcp_types.CallToolResult) -> Answer:
    parts = tuple(part for block in result.content if (part := _part(block)) is not None)
    if not parts and result.structured_content is not None:
        parts = (text_of(result.structured_content),)
    return Answer(parts or ("",), Status.ERROR if result.is_error else Status.COMPLETED)


def _part(block: Any) -> str | Attachment | None:
    """Return a piece of content: text, or a file for everything else that has bytes."""
    match block:
        case mcp_types.TextContent():
            return block.text
        case mcp_types.ImageContent() | mcp_types.AudioContent():
            return _file(block.data, block.mime_type)
        case mcp_types.EmbeddedResource(resource=mcp_types.TextResourceContents() as text):
            return text.text
        case mcp_types.EmbeddedResource(resource=mcp_types.BlobResourceContents() as blob):
            return _file(blob.blob, blob.mime_type or "application/octet-stream")
        case mcp_types.ResourceLink():
            return f"{block.name}: {block.uri}"
        case _:
            return None


def _file(data: str, kind: str) -> Attachment:
    return Attachment(url=Url(uri=f"data:{kind};base64,{data}"), mime_type=kind)
