"""The gRPC server of every service: health, reflection, the interceptors, limits, and an orderly end.

Used once, in the service's ``app.py``::

    server = Server(config.server, [Registration(add_ModelsServiceServicer_to_server, servicer)], Attachments(...))
    await serve(server, closing=...)

It binds to loopback alone unless callers have to prove who they are or ``insecure`` is set in so many words.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from mesh.audit import AuditConfig
from mesh.auth.authenticator import Authenticator
from mesh.config import ConfigError, setting
from mesh.contracts import contracts
from mesh.credentials import TlsConfig
from mesh.health import Dependency, Health, HealthBoard, ask, observe
from mesh.interceptors.audit import Audit
from mesh.interceptors.auth import Auth
from mesh.interceptors.deadline import Deadline
from mesh.interceptors.errors import Errors
from mesh.interceptors.limits import Limits
from mesh.interceptors.quota import Quota, QuotaConfig
from mesh.interceptors.semantics import Semantics
from mesh.interceptors.validation import Validation
from mesh.loopback import UNIX, is_loopback
from mesh.pipeline import Interceptor, Pipeline
from mesh.reflection import add_reflection
from mesh.transport import TransportConfig, server_options

log = logging.getLogger(__name__)

AddToServer = Callable[[Any, grpc.aio.Server], None]
"""A generated ``add_<Service>Servicer_to_server``."""


@dataclass(frozen=True)
class ServerConfig:
    """How a service listens; a service narrows the default of ``bind`` to a port of its own by a subclass."""

    bind: str = setting("BIND", "127.0.0.1:0", "Address that gRPC is served on: host:port, or unix:path.")
    insecure: bool = setting("INSECURE", False, "Serve beyond loopback though callers need not prove who they are.")
    max_concurrent_rpcs: int = setting("MAX_CONCURRENT_RPCS", 1024, "Calls at once; more are RESOURCE_EXHAUSTED.")
    default_deadline_s: float | None = setting(
        "DEFAULT_DEADLINE_S", 300.0, "Seconds for a call that brings no deadline; empty for no limit."
    )
    default_stream_deadline_s: float | None = setting(
        "DEFAULT_STREAM_DEADLINE_S", 3600.0, "The same for a call that is answered with a stream."
    )
    drain_delay_s: float = setting(
        "DRAIN_DELAY_S", 0.0, "Seconds between NOT_SERVING and the refusal of new calls, for balancers to notice."
    )
    drain_grace_s: float = setting("DRAIN_GRACE_S", 30.0, "Seconds that calls have to finish when the server stops.")
    quota: QuotaConfig = field(default_factory=QuotaConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    tls: TlsConfig = field(default_factory=TlsConfig)
    transport: TransportConfig = field(default_factory=TransportConfig)

    def __post_init__(self) -> None:
        """Refuse limits that nothing could work with."""
        if self.max_concurrent_rpcs < 1:
            raise ValueError("MAX_CONCURRENT_RPCS: at least 1 is needed")
        if self.drain_delay_s < 0 or self.drain_grace_s < 0:
            raise ValueError("DRAIN_DELAY_S and DRAIN_GRACE_S: seconds can't be negative")


@dataclass(frozen=True)
class Registration:
    """A servicer and the generated function that adds it to a server."""

    add_to_server: AddToServer
    servicer: Any

    @property
    def service(self) -> str:
        """The full name of the service, as in ``llamastack.inference.v1.ModelsService``."""
        recorder = _Recorder()
        self.add_to_server(self.servicer, recorder)  # type: ignore[arg-type]  # it has the one method that is called
        return recorder.service


@dataclass(frozen=True)
class Attachments:
    """What a server may have besides its services.

    ``dependencies`` decide on health; ``authenticator`` makes every call prove its identity; ``outermost`` run around
    everything else (telemetry), ``innermost`` knows the caller and the parsed request.
    """

    dependencies: Sequence[Dependency] = ()
    authenticator: Authenticator | None = None
    outermost: Sequence[Interceptor] = ()
    innermost: Interceptor = field(default_factory=Semantics)


class Server:
    """One gRPC server with everything that each service of the mesh has; to be made inside a running event loop.

    Args:
        config: how it listens.
        services: what it serves.
        attachments: what else belongs to it.

    Raises:
        ConfigError: the address is beyond loopback though nobody has to prove who they are, or the audit log can't be
            written.
    """

    def __init__(
        self, config: ServerConfig, services: Sequence[Registration], attachments: Attachments | None = None
    ) -> None:
        self._config = config
        self._attachments = attachments or Attachments()
        self._refuse_exposure()
        names = [registration.service for registration in services]
        self.health = HealthBoard(names)
        self._limits = Limits(config.max_concurrent_rpcs)
        self._audit = config.audit.open(authenticated=self._attachments.authenticator is not None)
        self._server = grpc.aio.server(
            interceptors=[self._pipeline()],
            options=server_options(config.transport),
        )
        for registration in services:
            registration.add_to_server(registration.servicer, self._server)
        add_HealthServicer_to_server(Health(self.health), self._server)
        add_reflection(self._server, names)
        self._observer: asyncio.Task[None] | None = None
        self._address = config.bind

    @property
    def address(self) -> str:
        """Where clients reach the server, with the port that was chosen if the configured one is 0."""
        return self._address

    @property
    def active(self) -> int:
        """The number of calls under way, health and reflection left out."""
        return self._limits.active

    async def start(self) -> None:
        """Listen, after the dependencies were asked once, so that the first answer of health is a true one.

        Raises:
            ConfigError: the address can't be bound or a TLS file can't be read.
        """
        # loaded now, the first call need not wait for them
        contracts()
        if self._attachments.authenticator is not None:
            self._attachments.authenticator.begin()
        await asyncio.gather(*(ask(self.health, dependency) for dependency in self._attachments.dependencies))
        self._address = self._listen()
        await self._server.start()
        if self._attachments.dependencies:
            self._observer = asyncio.create_task(observe(self.health, self._attachments.dependencies))
        log.info("serving on %s", self._address)

    async def drain(self) -> None:
        """Stop in order: health says NOT_SERVING, then new calls are refused, then those under way may finish.

        Calls that take longer than ``drain_grace_s`` are cancelled.
        """
        self.health.close()
        if self._config.drain_delay_s:
            await asyncio.sleep(self._config.drain_delay_s)
        await self._server.stop(self._config.drain_grace_s)
        await self._end()

    async def stop(self) -> None:
        """Stop at once; calls under way are cancelled."""
        self.health.close()
        await self._server.stop(None)
        await self._end()

    async def _end(self) -> None:
        if self._audit is not None:
            self._audit.close()
        if self._observer is not None:
            self._observer.cancel()
            await asyncio.gather(self._observer, return_exceptions=True)
            self._observer = None

    def _pipeline(self) -> Pipeline:
        config = self._config
        outer: list[Interceptor] = [
            *self._attachments.outermost,
            Errors(),
            Audit(self._audit),
            self._limits,
            Deadline(config.default_deadline_s, config.default_stream_deadline_s),
            Auth(self._attachments.authenticator),
            Quota(config.quota),
        ]
        return Pipeline(outer, [Validation(), self._attachments.innermost])

    def _listen(self) -> str:
        bind = self._config.bind
        try:
            credentials = self._config.tls.server()
        except OSError as error:
            raise ConfigError([f"a TLS file can't be read: {error.strerror}"]) from error
        except ValueError as error:
            raise ConfigError(["TLS_CERTIFICATE and TLS_KEY are no pair of PEM files"]) from error
        try:
            if credentials is None:
                port = self._server.add_insecure_port(bind)
            else:
                port = self._server.add_secure_port(bind, credentials)
        except RuntimeError as error:
            raise ConfigError([f"{bind} can't be bound: is it in use?"]) from error
        return bind if bind.startswith(UNIX) else f"{bind.rpartition(':')[0]}:{port}"

    def _refuse_exposure(self) -> None:
        config = self._config
        if config.insecure or self._attachments.authenticator is not None or is_loopback(config.bind):
            return
        raise ConfigError(
            [f"{config.bind} is beyond loopback: configure authentication, or set INSECURE (--insecure) to serve all"]
        )


async def serve(
    server: Server,
    *,
    ready: Callable[[], None] | None = None,
    closing: Callable[[], Awaitable[None]] | None = None,
    condition: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Start the server, run until SIGTERM or SIGINT, drain it; a second signal stops it at once.

    Args:
        server: what to run.
        ready: called once the server listens, when ``server.address`` is known.
        closing: called last, in any case: it closes stores, engines, clients and telemetry.
        condition: runs beside the server, which is stopped if it raises; what it raises is raised here.
    """
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[None] = asyncio.Queue()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, told.put_nowait, None)
    try:
        await server.start()
        if ready is not None:
            ready()
        failure = await _told_or_failed(told, condition)
        await _drain_unless_told(server, told)
        if failure is not None:
            raise failure
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        if closing is not None:
            await closing()


async def _told_or_failed(
    told: asyncio.Queue[None], condition: Callable[[], Awaitable[None]] | None
) -> BaseException | None:
    """Return None when somebody says that it is time to stop, or before that what the condition raised."""
    signalled = asyncio.ensure_future(told.get())
    watched = asyncio.ensure_future(condition() if condition is not None else asyncio.sleep(0))
    try:
        await asyncio.wait((signalled, watched), return_when=asyncio.FIRST_COMPLETED)
        if watched.done() and (failure := watched.exception()) is not None:
            return failure
        await signalled
        return None
    finally:
        for task in (signalled, watched):
            task.cancel()
        await asyncio.gather(signalled, watched, return_exceptions=True)


async def _drain_unless_told(server: Server, told: asyncio.Queue[None]) -> None:
    """Drain the server, and stop it at once if somebody grows impatient."""
    draining = asyncio.create_task(server.drain())
    impatient = asyncio.create_task(told.get())
    await asyncio.wait((draining, impatient), return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        await server.stop()
    impatient.cancel()
    await draining


class _Recorder:
    """Stands in for a server to learn which service a generated function adds."""

    service = ""

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Note the service of the first handler."""
        self.service = handlers[0].service_name()

    def add_registered_method_handlers(self, service_name: str, handlers: dict[str, Any]) -> None:
        """Note the service."""
        self.service = service_name
