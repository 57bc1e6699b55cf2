"""Server reflection, v1 and v1alpha: the two protocols are the same messages under two package names.

grpcio-reflection knows v1alpha alone; v1 is served by the same code, and its descriptor is derived from v1alpha's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

from mesh.contracts import pools
from mesh.methods import HEALTH, REFLECTION

_V1, _ALPHA = (name.rpartition(".")[0] for name in REFLECTION)


def add_reflection(server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Serve both protocols on a server; they tell of the given services, of health and of themselves."""
    _declare_v1()
    servicer = ReflectionServicer([*services, HEALTH, *REFLECTION], pool=_Pools())
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    generic = grpc.method_handlers_generic_handler(f"{_V1}.ServerReflection", {"ServerReflectionInfo": handler})
    server.add_generic_rpc_handlers((generic,))


class _Pools:
    """Answers from the contracts first, then from whatever else this process has imported."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a look-up of a descriptor pool that tries both.

        The look-up raises KeyError if neither has the thing.
        """

        def find(*arguments: Any) -> Any:
            first, second = pools()
            try:
                return getattr(first, name)(*arguments)
            except KeyError:
                return getattr(second, name)(*arguments)

        return find


def _declare_v1() -> None:
    """Put v1's descriptor into the pool, so that a client can ask for it as for any other service."""
    pool = descriptor_pool.Default()
    try:
        pool.FindServiceByName(f"{_V1}.ServerReflection")
    except KeyError:
        raw = reflection_pb2.DESCRIPTOR.serialized_pb
        proto = FileDescriptorProto.FromString(raw)
        proto.name = f"{_V1.replace('.', '/')}/reflection.proto"
        proto.package = _V1
        for message in proto.message_type:
            for field in filter(lambda field: field.type_name, message.field):
                field.type_name = field.type_name.replace(f".{_ALPHA}.", f".{_V1}.")
        for rpc in proto.service[0].method:
            rpc.input_type = rpc.input_type.replace(f".{_ALPHA}.", f".{_V1}.")
            rpc.output_type = rpc.output_type.replace(f".{_ALPHA}.", f".{_V1}.")
        pool.AddSerializedFile(proto.SerializeToString())
