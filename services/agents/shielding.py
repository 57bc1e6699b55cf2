"""What a turn needs of shields; which there are and how they judge is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import ShieldDefinition, ShieldResponse


@dataclass(frozen=True, slots=True)
class ShieldContext:
    """For whom shields judge; ``session_id`` is empty outside of a session, ``timeout_s`` is for all shields together.

    The caller's identity is the current one (``mesh.identity``).
    """

    tenant: str
    session_id: str = ""
    timeout_s: float = 60.0


class ShieldRunner(Protocol):
    """The shields of this deployment."""

    async def check(self, shields: Sequence[ShieldDefinition]) -> None:
        """Return if all of these shields can run here with their settings; called before an agentic system is stored.

        Raises:
            ResourceNotFound: there is no such shield.
            WrongState: this deployment can't run one.
            InvalidField: a setting is missing or bad; the path is relative to the list, as in ``[2].threshold``.
        """
        ...

    async def run(
        self, messages: Sequence[Message], shields: Sequence[ShieldDefinition], context: ShieldContext
    ) -> list[ShieldResponse]:
        """Run the shields in parallel over a conversation, oldest message first; return one response each, in order.

        What is judged is the last message. What follows from a violation is the caller's business: an ignored one is
        reported like any other.

        Raises:
            MeshError: a shield could not judge. A turn ends with that error: shields fail closed.
        """
        ...
