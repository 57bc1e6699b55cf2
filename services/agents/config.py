"""The settings of the agents service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mesh.auth.config import AuthConfig
from mesh.client import ClientConfig
from mesh.config import setting
from mesh.server import ServerConfig
from mesh.storage import StorageConfig
from mesh.telemetry.process import TelemetryConfig
from services.agents.safety.config import SafetyConfig
from services.agents.tools.config import ToolsConfig


@dataclass(frozen=True)
class AgentsServerConfig(ServerConfig):
    """How the service listens."""

    bind: str = setting("BIND", "127.0.0.1:50052", "Address that gRPC is served on: host:port, or unix:path.")


@dataclass(frozen=True)
class PeerConfig:
    """Where the services are that this one calls."""

    inference: str = setting("ALTIPLANO_INFERENCE_ADDRESS", "127.0.0.1:50051", "host:port of the inference service.")
    memory: str = setting("ALTIPLANO_MEMORY_ADDRESS", "127.0.0.1:50053", "host:port of the memory service.")
    calls: ClientConfig = field(default_factory=ClientConfig)


@dataclass(frozen=True)
class TurnConfig:
    """How turns run."""

    max_turns: int = setting("MAX_TURNS", 1000, "Turns that run at once; more are RESOURCE_EXHAUSTED.")
    lease_s: float = setting(
        "TURN_LEASE_S", 10.0, "Seconds without a sign of life after which another replica goes on with a turn."
    )
    poll_s: float = setting("TURN_POLL_S", 0.1, "Seconds between looks for events of a turn that runs elsewhere.")
    tool_timeout_s: float = setting(
        "TURN_TOOL_TIMEOUT_S", 120.0, "Seconds that a tool call of a turn may take, whatever the tool itself allows."
    )
    shield_timeout_s: float = setting("SHIELD_TIMEOUT_S", 60.0, "Seconds for all shields at one point of a turn.")
    prompt_tokens: int | None = setting(
        "PROMPT_TOKENS",
        None,
        "Tokens of a prompt at most; what is older is clipped or left out. Empty for what the model's context holds, "
        "0 to leave nothing out.",
    )
    history_turns: int = setting(
        "HISTORY_TURNS", 1000, "Turns of a session that are read again for a prompt at most; older ones are not."
    )
    answer_tokens: int = setting(
        "ANSWER_TOKENS",
        1024,
        "Tokens of the context that are left for an answer where max_tokens states none; a quarter of it at most.",
    )

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing run."""
        if self.max_turns < 1:
            raise ValueError("MAX_TURNS: at least 1 is needed")
        if min(self.lease_s, self.poll_s, self.tool_timeout_s, self.shield_timeout_s) <= 0:
            raise ValueError("TURN_LEASE_S, TURN_POLL_S, TURN_TOOL_TIMEOUT_S and SHIELD_TIMEOUT_S are positive")
        if (self.prompt_tokens or 0) < 0 or min(self.answer_tokens, self.history_turns) < 1:
            raise ValueError("PROMPT_TOKENS: no less than 0; ANSWER_TOKENS and HISTORY_TURNS: at least 1")


@dataclass(frozen=True)
class AgentsConfig:
    """Everything about the service."""

    data: Path = setting("DATA", Path(".altiplano/agents"), "Folder of what is kept in files.")
    server: AgentsServerConfig = field(default_factory=AgentsServerConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    peers: PeerConfig = field(default_factory=PeerConfig)
    turns: TurnConfig = field(default_factory=TurnConfig)
    tools: ToolsConfig = field(default_factory=ToolsConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def database(self) -> StorageConfig:
        """Return where the database is, with the default filled in."""
        return self.storage.or_file(self.data / "agents.db")
