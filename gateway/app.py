"""Puts the gateway together; the only module that names concrete classes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

import orjson

from gateway import console, docs, openapi
from gateway.admission import Admission
from gateway.bind import WHOLE, Binder
from gateway.bodies import BodyReader
from gateway.codec.codec import Codec
from gateway.codec.settings import CodecSettings
from gateway.config import EVERY_AREA, GatewayConfig, JsonConfig
from gateway.contract import Contract, HttpRule, Rpc
from gateway.cors import Cors
from gateway.endpoint import Endpoint, Parts, Policy, RpcEndpoint, Streaming
from gateway.eventid import event_id_reader
from gateway.front import Front, Observer, Pages
from gateway.guard import Guard
from gateway.httpbody import FULL_NAME as HTTP_BODY
from gateway.httpbody import BodyEndpoint
from gateway.origins import OriginCheck
from gateway.pages import DocumentPage, HealthPage, MissingService, ReadyPage
from gateway.replies import Replier
from gateway.routes import Router
from gateway.streaming import Values
from gateway.translate import CallerPaths, MessageDecoder, MessageEncoder
from gateway.upstream import Upstream
from mesh.audit import AuditLog
from mesh.auth.authenticator import Authenticator
from mesh.config import ConfigError
from mesh.loopback import is_loopback


class Upstreams(Protocol):
    """Reaches services by address."""

    def at(self, address: str) -> Upstream:
        """Return the service at an address."""

    def state(self, address: str) -> str:
        """Return the state of the connection in a word."""

    async def close(self) -> None:
        """Close every connection."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gateway is given from outside: how to reach services, who may call, who watches."""

    upstreams: Upstreams
    observer: Observer
    authenticator: Authenticator | None = None
    audit: AuditLog | None = None
    stop: Callable[[], Awaitable[None]] | None = None


class Gateway:
    """The gateway of one deployment, as an ASGI application with what its process has to know."""

    def __init__(self, config: GatewayConfig, contract: Contract, surroundings: Surroundings) -> None:
        """Compile every route.

        Raises:
            ContractError, RouteError, TemplateError, PlanError: the contracts contradict themselves.
            ConfigError: an upstream is of an area that no contract has.
        """
        self._config = config
        self._contract = contract
        self._surroundings = surroundings
        self._addresses = _addresses(config, contract)
        self.admission = Admission(config.limits.max_concurrent)
        self._codec = Codec(contract.pool, _codec_settings(config.json))
        self._guard = Guard(surroundings.authenticator, surroundings.audit)
        self._bodies = BodyReader(config.limits.max_body_bytes, config.limits.body_timeout_s)
        self._policy = _policy(config)
        self.router = self._router()
        self.app = Front(
            self.router, _web_pages(config, self._guard), self.admission, surroundings.observer, self._stop
        )

    def document(self) -> bytes:
        """Return the OpenAPI document of what this deployment serves, as JSON."""
        services = frozenset(rpc.service for rpc in self._contract.rpcs.values() if rpc.area in self._addresses)
        settings = openapi.Settings(
            services=services, secured=self._guard.enabled, wrap_urls=self._config.json.wrap_urls
        )
        return orjson.dumps(openapi.render(self._contract, settings))

    def _router(self) -> Router[Endpoint]:
        router: Router[Endpoint] = Router()
        for verb, path, endpoint in (*self._endpoints(), *self._pages()):
            router.add(verb, path, endpoint)
        return router

    def _endpoints(self) -> Iterator[tuple[str, str, Endpoint]]:
        for rpc in self._contract.rpcs.values():
            rules = rpc.rules
            if self._config.json.auto_mapping and not rpc.client_streams:
                rules = (*rules, HttpRule("POST", rpc.path, WHOLE, ""))
            for rule in rules:
                yield rule.verb, rule.template, self._endpoint(rpc, rule)

    def _endpoint(self, rpc: Rpc, rule: HttpRule) -> Endpoint:
        address = self._addresses.get(rpc.area)
        if address is None:
            return MissingService(rpc.service, openai_errors=rpc.openai_errors)
        # under its own name an RPC is what it is; only the RFC's paths have two faces
        twin = self._contract.twin(rpc) if rule.template != rpc.path else None
        parts = Parts(
            binder=Binder(rpc, rule, MessageDecoder(self._codec, rpc.input), takes_stream=twin is not None),
            replier=Replier(
                rpc, rule, MessageEncoder(self._codec, rpc.output), indented=self._config.json.add_whitespace
            ),
            paths=CallerPaths(self._codec, rpc.input),
            upstream=self._surroundings.upstreams.at(address),
            bodies=self._bodies,
            guard=self._guard,
            admission=self.admission,
            policy=self._policy,
        )
        source = rpc if rpc.streams else twin
        values = parts.replier.values if rpc.streams and rule.response_body else None
        serving = BodyEndpoint if rpc.output.full_name == HTTP_BODY else RpcEndpoint
        return serving(rpc, None if source is None else self._streaming(rpc, source, values), parts)

    def _streaming(self, rpc: Rpc, source: Rpc, values: Values | None) -> Streaming:
        path = rpc.json.event_id_field or source.json.event_id_field
        return Streaming(
            rpc=source,
            encode=MessageEncoder(self._codec, source.output).encode,
            values=values,
            event_id=event_id_reader(source.output, path) if path else None,
        )

    def _pages(self) -> Iterator[tuple[str, str, Endpoint]]:
        yield "GET", "/healthz", HealthPage()
        yield "GET", "/readyz", ReadyPage(self.admission, self._states)
        documents = [("/openapi.json", b"application/json", self.document)]
        documents += [(asset.path, asset.content_type, asset.read) for asset in (*console.assets(), *docs.assets())]
        for path, content_type, make in documents:
            yield "GET", path, DocumentPage(path, content_type, make, compress=self._config.json.compress)

    def _states(self) -> Mapping[str, str]:
        state = self._surroundings.upstreams.state
        return {area: state(address) for area, address in sorted(self._addresses.items())}

    async def _stop(self) -> None:
        await self._surroundings.upstreams.close()
        if self._surroundings.stop is not None:
            await self._surroundings.stop()


def load_contract() -> Contract:
    """Return the contracts that the stubs were built from."""
    return Contract((files("llamastack") / "descriptors.binpb").read_bytes())


def _addresses(config: GatewayConfig, contract: Contract) -> Mapping[str, str]:
    areas = {rpc.area for rpc in contract.rpcs.values()}
    given = dict(config.addresses())
    rest = given.pop(EVERY_AREA, None)
    if unknown := sorted(given.keys() - areas):
        raise ConfigError([f"UPSTREAMS: no contract has the area {unknown[0]}; there are {', '.join(sorted(areas))}"])
    return given if rest is None else dict.fromkeys(areas, rest) | given


def _web_pages(config: GatewayConfig, guard: Guard) -> Pages:
    allowed = frozenset(config.cors.origins)
    origins = None if guard.enabled else OriginCheck(allowed, local=is_loopback(config.listen.bind))
    return Pages(Cors(allowed, config.cors.credentials), origins)


def _codec_settings(json: JsonConfig) -> CodecSettings:
    return CodecSettings(
        always_print_primitive_fields=json.always_print_primitive_fields,
        always_print_enums_as_ints=json.always_print_enums_as_ints,
        preserve_proto_field_names=json.preserve_proto_field_names,
        emit_wrapped=json.wrap_urls,
        ignore_unknown_fields=json.ignore_unknown_fields,
        ignore_unknown_query_parameters=json.ignore_unknown_query_parameters,
    )


def _policy(config: GatewayConfig) -> Policy:
    return Policy(
        timeout_s=config.limits.timeout_s,
        max_timeout_s=config.limits.max_timeout_s,
        heartbeat_s=config.json.heartbeat_s,
        sse_always=config.json.sse_always,
        compress=config.json.compress,
    )
