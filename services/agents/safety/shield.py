"""What a shield is. Which shields there are, and what follows from a violation, is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import ShieldDefinition


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation: its type, several with commas between, and what to tell the user instead of going on."""

    violation_type: str
    return_message: str


class Shield(Protocol):
    """A shield of this deployment; one object serves all calls at once."""

    @property
    def description(self) -> str:
        """What it looks for."""
        ...

    def check(self, definition: ShieldDefinition) -> None:
        """Return if it can run with these settings, as far as that can be told without running anything.

        Raises:
            WrongState: this deployment lacks something that it needs.
            InvalidField: a setting is missing or bad; the path is relative to the definition.
        """
        ...

    async def obstacle(self) -> str | None:
        """Return why it can't run now with its default settings; None when it can."""
        ...

    async def judge(self, messages: Sequence[Message], definition: ShieldDefinition) -> Finding | None:
        """Return the violation in a conversation, oldest message first, or None; the definition passes :meth:`check`.

        Raises:
            MeshError: it could not judge.
        """
        ...
