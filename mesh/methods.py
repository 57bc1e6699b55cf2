"""What the contracts say about an RPC: its kind, the access it needs, whether it may be repeated.

Everything comes from descriptors; this module knows neither servers nor clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from llamastack.access.v1 import access_pb2
from mesh.contracts import ACTION, ROOT, file_set, pools

HEALTH: Final = "grpc.health.v1.Health"
REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
INFRASTRUCTURE: Final = frozenset({HEALTH, *REFLECTION})
"""Services that every server has besides its own; they have no access option and do not count as load."""

_REPEATABLE: Final = frozenset({MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT})


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC. ``path`` is ``/package.Service/Name``; ``action`` is ``read``, ``use``, ``write``, ``admin`` or empty.

    ``area`` is the second part of the package, as in ``inference``. ``input`` and ``output`` are None for an RPC that
    is in no contract and in nothing that this process imported.
    """

    path: str
    service: str
    name: str
    area: str
    action: str
    server_streaming: bool
    input: Descriptor | None
    output: Descriptor | None = None

    @property
    def scope(self) -> str:
        """The scope that a caller needs, as in ``inference:use``; empty if the contract states none."""
        return f"{self.area}:{self.action}" if self.action else ""

    @property
    def infrastructure(self) -> bool:
        """Whether it belongs to health or reflection."""
        return self.service in INFRASTRUCTURE


def method(path: str) -> Method:
    """Return what is known about the RPC of a path ``/package.Service/Name``."""
    service, _, name = path.removeprefix("/").rpartition("/")
    area = service.split(".")[1] if service.startswith(f"{ROOT}.") else ""
    found = _find(f"{service}.{name}")
    if found is None:
        return Method(path, service, name, area, action="", server_streaming=False, input=None)
    return Method(
        path, service, name, area, _action(found), found.server_streaming, found.input_type, found.output_type
    )


def _find(full_name: str) -> MethodDescriptor | None:
    for pool in pools():
        try:
            return pool.FindMethodByName(full_name)
        except KeyError:
            continue
    return None


def _action(found: MethodDescriptor) -> str:
    value = found.GetOptions().Extensions[ACTION]
    if value == access_pb2.ACTION_UNSPECIFIED:
        return ""
    return access_pb2.Action.Name(value).removeprefix("ACTION_").lower()


def repeatable() -> Iterator[tuple[str, str]]:
    """Yield (service, method) of every RPC that its contract allows to repeat, in the order of the contracts."""
    yield HEALTH, "Check"
    for file in file_set().file:
        for service in file.service:
            for rpc in service.method:
                if rpc.options.idempotency_level in _REPEATABLE:
                    yield f"{file.package}.{service.name}", rpc.name
