"""pii_shield: presidio looks for personal data in the last message, by patterns and checksums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from services.agents.safety.code_scanner import Scanning, obstacle
from services.agents.safety.message_text import text_of
from services.agents.safety.shield import Finding

PROGRAM: Final = "services.agents.safety.scanners.pii"
RETURN_MESSAGE: Final = "I can't go on with personal data. Please take it out of the message."
THRESHOLD: Final = 0.4
"""presidio's confidence that counts: a telephone number that is valid has it without further signs."""


class PiiShield:
    """The shield."""

    description = "A scanner looks for personal data in the last message: addresses and numbers of all kinds."

    def __init__(self, scanner: Scanning) -> None:
        """Keep the scanner's process."""
        self._scanner = scanner

    def check(self, definition: ShieldDefinition) -> None:
        """Take any settings: the threshold's bounds are the contract's."""

    async def obstacle(self) -> str | None:
        """Return why the scanner can't be started."""
        return await obstacle(self._scanner, {"text": "", "threshold": THRESHOLD})

    async def judge(self, messages: Sequence[Message], definition: ShieldDefinition) -> Finding | None:
        """Return the kinds of personal data that the scanner finds."""
        text = text_of(messages[-1])
        if not text.strip():
            return None
        threshold = definition.threshold if definition.HasField("threshold") else THRESHOLD
        entities = (await self._scanner.ask({"text": text, "threshold": threshold}))["entities"]
        return Finding(",".join(entities), RETURN_MESSAGE) if entities else None
