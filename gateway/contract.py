"""Reads the compiled contracts into what the gateway needs of every RPC.

Knows descriptors and options; knows nothing about HTTP requests, JSON or connections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from llamastack.access.v1 import access_pb2
from llamastack.json.v1 import json_pb2


class ContractError(ValueError):
    """The contracts contradict themselves; the gateway does not start. The message names the RPC."""


@dataclass(frozen=True, slots=True)
class HttpRule:
    """One google.api.http binding.

    ``body`` is "" (none), "*" or a field's name; ``response_body`` is "" (the whole message) or a field's name.
    """

    verb: str
    template: str
    body: str
    response_body: str


@dataclass(frozen=True, slots=True, eq=False)
class Rpc:
    """One RPC. ``path`` is "/package.Service/Method"; ``area`` is the second part of the package, "inference" say."""

    area: str
    service: str
    method: str
    path: str
    input: Descriptor
    output: Descriptor
    streams: bool
    client_streams: bool
    rules: tuple[HttpRule, ...]
    json: json_pb2.MethodJson
    action: str
    openai_errors: bool
    safe: bool

    @property
    def scope(self) -> str:
        """Return the scope that a caller needs, "inference:use" say, or "" where the contract states none."""
        return f"{self.area}:{self.action}" if self.action else ""


class Contract:
    """Every RPC of a descriptor set, by path."""

    def __init__(self, descriptors: bytes) -> None:
        """Read a serialized FileDescriptorSet.

        Raises:
            ContractError: an option names a method or a field that does not exist.
        """
        self.files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
        self.pool = DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)
        self.rpcs: Mapping[str, Rpc] = {rpc.path: rpc for rpc in self._read()}
        for rpc in self.rpcs.values():
            _check(rpc, self.rpcs)

    def twin(self, rpc: Rpc) -> Rpc | None:
        """Return the streaming RPC that serves the same paths when the caller asks for a stream, if there is one."""
        return self.rpcs[f"/{rpc.service}/{rpc.json.stream_method}"] if rpc.json.stream_method else None

    def _read(self) -> Iterator[Rpc]:
        for file in self.files.file:
            for service in file.service:
                name = f"{file.package}.{service.name}" if file.package else service.name
                descriptor = self.pool.FindServiceByName(name)
                for method in descriptor.methods:
                    yield _rpc(descriptor, method)


def _rpc(service: ServiceDescriptor, method: MethodDescriptor) -> Rpc:
    options = method.GetOptions()
    action = access_pb2.Action.Name(options.Extensions[access_pb2.action])
    style = service.GetOptions().Extensions[json_pb2.service].error_style
    return Rpc(
        area=area_of(service.full_name),
        service=service.full_name,
        method=method.name,
        path=f"/{service.full_name}/{method.name}",
        input=method.input_type,
        output=method.output_type,
        streams=method.server_streaming,
        client_streams=method.client_streaming,
        rules=tuple(_rules(options.Extensions[annotations_pb2.http])),
        json=options.Extensions[json_pb2.method],
        action="" if action.endswith("UNSPECIFIED") else action.removeprefix("ACTION_").lower(),
        openai_errors=style == json_pb2.ServiceJson.ERROR_STYLE_OPENAI,
        safe=options.idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS,
    )


def area_of(service: str) -> str:
    """Return the area of a service's full name: "llamastack.inference.v1.InferenceService" is "inference"."""
    parts = service.split(".")
    return parts[1] if len(parts) > 2 else parts[0]


def _rules(rule: http_pb2.HttpRule) -> Iterator[HttpRule]:
    kind = rule.WhichOneof("pattern")
    if kind == "custom":
        yield HttpRule(rule.custom.kind.upper(), rule.custom.path, rule.body, rule.response_body)
    elif kind is not None:
        yield HttpRule(kind.upper(), getattr(rule, kind), rule.body, rule.response_body)
    for additional in rule.additional_bindings:
        yield from _rules(additional)


def _check(rpc: Rpc, rpcs: Mapping[str, Rpc]) -> None:
    twin = rpc.json.stream_method
    if twin:
        other = rpcs.get(f"/{rpc.service}/{twin}")
        if other is None or not other.streams or other.input.full_name != rpc.input.full_name:
            raise ContractError(f"{rpc.path}: stream_method {twin!r} is no streaming RPC over the same request")
    if rpc.client_streams and rpc.rules:
        raise ContractError(f"{rpc.path}: a client stream can't have a REST path")
    for rule in rpc.rules:
        if rule.body not in ("", "*") and rule.body not in rpc.input.fields_by_name:
            raise ContractError(f"{rpc.path}: body {rule.body!r} is no field of {rpc.input.full_name}")
        if rule.response_body and rule.response_body not in rpc.output.fields_by_name:
            raise ContractError(
                f"{rpc.path}: response_body {rule.response_body!r} is no field of {rpc.output.full_name}"
            )
