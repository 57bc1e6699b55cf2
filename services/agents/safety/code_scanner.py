"""code_scanner_guard: codeshield looks for insecure code in every message of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from llamastack.common.v1.message_pb2 import Message
from llamastack.safety.v1.shield_pb2 import ShieldDefinition
from mesh.errors import MeshError
from services.agents.safety.code_pieces import pieces
from services.agents.safety.shield import Finding

PROGRAM: Final = "services.agents.safety.scanners.code"
ENVIRON: Final = {"SEMGREP_SEND_METRICS": "off", "SEMGREP_ENABLE_VERSION_CHECK": "0"}
"""What keeps semgrep off the network."""

RETURN_MESSAGE: Final = "Sorry, I found security concerns in the code."


class Scanning(Protocol):
    """A program that scans."""

    async def ask(self, request: Any) -> Any:
        """Return the program's answer; a MeshError when there is none."""
        ...


class CodeScannerGuard:
    """The shield."""

    description = "A scanner looks for insecure code in the messages."

    def __init__(self, scanner: Scanning) -> None:
        """Keep the scanner's process."""
        self._scanner = scanner

    def check(self, definition: ShieldDefinition) -> None:
        """Take any settings; it has none of its own."""

    async def obstacle(self) -> str | None:
        """Return why the scanner can't be started."""
        return await obstacle(self._scanner, {"pieces": []})

    async def judge(self, messages: Sequence[Message], definition: ShieldDefinition) -> Finding | None:
        """Return the patterns that the scanner finds."""
        found = [[piece.language, piece.code] for piece in pieces(messages)]
        if not found:
            return None
        patterns = (await self._scanner.ask({"pieces": found}))["patterns"]
        return Finding(",".join(patterns), RETURN_MESSAGE) if patterns else None


async def obstacle(scanner: Scanning, nothing: Any) -> str | None:
    """Return why a scanner does not even scan nothing."""
    try:
        await scanner.ask(nothing)
    except MeshError as error:
        return f"{error.message[:1].upper()}{error.message[1:]}."
    return None
