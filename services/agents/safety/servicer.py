"""``llamastack.safety.v1.SafetyService`` over the shields."""

from __future__ import annotations

from typing import Any

from llamastack.safety.v1 import safety_service_pb2_grpc as grpc_stubs
from llamastack.safety.v1 import shield_pb2 as pb
from mesh import identity
from mesh.errors import InvalidField
from services.agents.safety.shields import MESSAGES, Shields, under
from services.agents.shielding import ShieldContext

Context = Any


class SafetyServicer(grpc_stubs.SafetyServiceServicer):
    """Judges messages for the caller; ``timeout_s`` is for all the shields of a call together."""

    def __init__(self, shields: Shields, timeout_s: float) -> None:
        """Keep the shields."""
        self._shields = shields
        self._timeout_s = timeout_s

    async def RunShields(self, request: pb.RunShieldsRequest, context: Context) -> pb.RunShieldsResponse:
        """Run shields in parallel over messages."""
        asked_for = ShieldContext(identity.current().tenant, timeout_s=self._timeout_s)
        try:
            responses = await self._shields.run(request.messages, request.shields, asked_for)
        except InvalidField as error:
            of_messages = any(each.path.startswith(MESSAGES) for each in error.details.violations)
            raise (error if of_messages else under("shields", error)) from error
        return pb.RunShieldsResponse(responses=responses)

    async def ListShields(self, request: pb.ListShieldsRequest, context: Context) -> pb.ListShieldsResponse:
        """List the shields."""
        return pb.ListShieldsResponse(shields=await self._shields.infos())
