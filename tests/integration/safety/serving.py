"""The safety service of a real app's parts on a real channel, behind it the scripted inference service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from llamastack.common.v1.message_pb2 import Message
from llamastack.inference.v1.inference_service_pb2_grpc import add_InferenceServiceServicer_to_server
from llamastack.models.v1.models_service_pb2_grpc import add_ModelsServiceServicer_to_server
from llamastack.safety.v1.safety_service_pb2_grpc import SafetyServiceStub, add_SafetyServiceServicer_to_server
from llamastack.safety.v1.shield_pb2 import (
    BuiltinShield,
    ListShieldsRequest,
    RunShieldsRequest,
    ShieldDefinition,
    ShieldInfo,
    ShieldResponse,
    ShieldType,
)
from mesh.client import Client, ClientConfig
from mesh.errors import MeshError, from_rpc
from mesh.testing import Mesh, mesh_of
from services.agents.app import Safety
from services.agents.safety.config import SafetyConfig
from services.agents.safety.servicer import SafetyServicer
from tests.integration.safety.peer import ScriptedInference, scripted_inference, scripted_models

if TYPE_CHECKING:
    from llamastack.safety.v1.safety_service_pb2_grpc import SafetyServiceAsyncStub

GUARD = ShieldType(builtin=BuiltinShield.BUILTIN_SHIELD_LLAMA_GUARD)
CODE = ShieldType(builtin=BuiltinShield.BUILTIN_SHIELD_CODE_SCANNER_GUARD)
THIRD_PARTY = ShieldType(builtin=BuiltinShield.BUILTIN_SHIELD_THIRD_PARTY_SHIELD)
INJECTION = ShieldType(builtin=BuiltinShield.BUILTIN_SHIELD_INJECTION_SHIELD)
JAILBREAK = ShieldType(builtin=BuiltinShield.BUILTIN_SHIELD_JAILBREAK_SHIELD)
PII = ShieldType(custom="pii_shield")


@dataclass(frozen=True)
class Served:
    """A running safety service, and the inference service behind it."""

    mesh: Mesh
    inference: ScriptedInference
    safety: Safety

    async def run(self, messages: list[Message], *shields: ShieldDefinition) -> list[ShieldResponse]:
        """Run shields."""
        stub: SafetyServiceAsyncStub = self.mesh.stub(SafetyServiceStub)
        return list((await stub.RunShields(RunShieldsRequest(messages=messages, shields=shields))).responses)

    async def infos(self) -> list[ShieldInfo]:
        """List the shields."""
        stub: SafetyServiceAsyncStub = self.mesh.stub(SafetyServiceStub)
        return list((await stub.ListShields(ListShieldsRequest())).shields)


@asynccontextmanager
async def serving(config: SafetyConfig | None = None) -> AsyncIterator[Served]:
    """Serve shields; the guard is ``guard`` and the classifier ``classifier`` unless configured otherwise."""
    config = config or SafetyConfig(guard_model="guard", prompt_guard_model="classifier")
    inference = scripted_inference()
    behind = {
        add_InferenceServiceServicer_to_server: inference,
        add_ModelsServiceServicer_to_server: scripted_models(),
    }
    async with mesh_of(behind) as peer, Client(ClientConfig()) as client:
        safety = Safety(config, client, peer.address)
        servicer = SafetyServicer(safety.shields, config.timeout_s)
        try:
            async with mesh_of({add_SafetyServiceServicer_to_server: servicer}) as mesh:
                yield Served(mesh, inference, safety)
        finally:
            await safety.close()


def shield(shield_type: ShieldType, **settings: Any) -> ShieldDefinition:
    """Return a shield with settings."""
    return ShieldDefinition(shield_type=shield_type, **settings)


def passed(shield_type: ShieldType) -> ShieldResponse:
    """Return what a shield answers that finds nothing."""
    return ShieldResponse(shield_type=shield_type, is_violation=False)


def violated(shield_type: ShieldType, kind: str, message: str) -> ShieldResponse:
    """Return what a shield answers that finds something."""
    return ShieldResponse(
        shield_type=shield_type, is_violation=True, violation_type=kind, violation_return_message=message
    )


async def refused(call: Any) -> MeshError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc(caught.value)
