"""The key for servers elsewhere, and who may see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that is shown to some hosts alone, and only where nobody can listen: over https or on this machine."""

    secret: str | None = field(repr=False)
    hosts: tuple[str, ...]

    def headers(self, address: str) -> dict[str, str]:
        """Return what proves to a server who calls."""
        parts = urlsplit(address)
        safe = parts.scheme == "https" or parts.hostname in {"127.0.0.1", "::1", "localhost"}
        if not self.secret or parts.hostname not in self.hosts or not safe:
            return {}
        return {"authorization": f"Bearer {self.secret}"}
