"""The settings of the tools and of the sandbox. Keys are secrets: they are never shown, logged or given to code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from mesh.config import setting


@dataclass(frozen=True)
class SearchConfig:
    """Where the tool brave_search searches."""

    engine: Literal["brave", "bing", "tavily", "searxng"] = setting(
        "SEARCH_ENGINE", "brave", "brave, bing, tavily or searxng, for agents that choose none."
    )
    brave_url: str = setting("BRAVE_SEARCH_URL", "https://api.search.brave.com", "Where Brave's API is.")
    brave_key: str | None = setting("BRAVE_SEARCH_API_KEY", None, "The key of Brave's API.", secret=True)
    bing_url: str = setting("BING_SEARCH_URL", "https://api.bing.microsoft.com", "Where Bing's API is.")
    bing_key: str | None = setting("BING_SEARCH_API_KEY", None, "The key of Bing's API.", secret=True)
    tavily_url: str = setting("TAVILY_SEARCH_URL", "https://api.tavily.com", "Where Tavily's API is.")
    tavily_key: str | None = setting("TAVILY_SEARCH_API_KEY", None, "The key of Tavily's API.", secret=True)
    searxng_url: str = setting("SEARXNG_URL", "", "Where a SearXNG server is that allows the format json.")


@dataclass(frozen=True)
class ServicesConfig:
    """The other services behind tools."""

    wolfram_url: str = setting("WOLFRAM_ALPHA_URL", "https://api.wolframalpha.com", "Where Wolfram|Alpha is.")
    wolfram_key: str | None = setting("WOLFRAM_ALPHA_API_KEY", None, "The app id for Wolfram|Alpha.", secret=True)
    photogen_url: str = setting("PHOTOGEN_URL", "", "Where an OpenAI-compatible images API is, /v1 included.")
    photogen_key: str | None = setting("PHOTOGEN_API_KEY", None, "The key of the images API.", secret=True)
    photogen_model: str = setting("PHOTOGEN_MODEL", "", "The model that makes images; empty for the API's default.")
    photogen_size: str = setting("PHOTOGEN_SIZE", "1024x1024", "Width and height of images.")
    photogen_form: str = setting(
        "PHOTOGEN_RESPONSE_FORMAT", "b64_json", "b64_json or url; empty for an API that knows no response_format."
    )
    photogen_timeout_s: float = setting("PHOTOGEN_TIMEOUT_S", 120.0, "Seconds for making an image.")
    memory: str = setting("ALTIPLANO_MEMORY_ADDRESS", "127.0.0.1:50053", "host:port of the memory service.")


@dataclass(frozen=True)
class ReachConfig:
    """Whom tools may call, how long, and how much of an answer is taken."""

    hosts: tuple[str, ...] = setting(
        "TOOL_HOSTS", (), "Hosts that registered tools may call, as in api.example.com or *.example.com; empty for any."
    )
    private_hosts: tuple[str, ...] = setting(
        "PRIVATE_HOSTS", (), "Names of hosts that registered tools may call though their addresses are not public."
    )
    secrets: str = setting(
        "TOOL_SECRETS", "{}", "A JSON object of the secrets that registrations name: names and values.", secret=True
    )
    timeout_s: float = setting("TOOL_TIMEOUT_S", 30.0, "Seconds for a call of a builtin tool or of an MCP server.")
    attempts: int = setting("TOOL_ATTEMPTS", 3, "Tries of a call that may be repeated, the first included.")
    most_bytes: int = setting("TOOL_MAX_BYTES", 16 * 1024 * 1024, "Bytes of an answer that are read at most.")
    most_characters: int = setting("TOOL_MAX_CHARACTERS", 16000, "Characters of a result that the model gets at most.")
    mcp_commands: tuple[str, ...] = setting(
        "MCP_COMMANDS", (), "Programs that MCP servers over stdio may be started with; none by default."
    )
    mcp_start_s: float = setting("MCP_START_S", 20.0, "Seconds in which an MCP server has to be ready.")
    mcp_idle_s: float = setting("MCP_IDLE_S", 600.0, "Seconds after which an unused connection to one is closed.")

    def __post_init__(self) -> None:
        """Refuse what would let nothing work."""
        self.named_secrets()
        if min(self.timeout_s, self.attempts, self.most_bytes, self.most_characters) <= 0:
            raise ValueError("TOOL_TIMEOUT_S, TOOL_ATTEMPTS, TOOL_MAX_BYTES and TOOL_MAX_CHARACTERS are positive")
        if self.mcp_start_s <= 0 or self.mcp_idle_s <= 0:
            raise ValueError("MCP_START_S and MCP_IDLE_S are positive")

    def named_secrets(self) -> dict[str, str]:
        """Return the secrets by name.

        Raises:
            ValueError: they are not a JSON object of strings.
        """
        refused = "TOOL_SECRETS: a JSON object of names and strings is needed"
        try:
            found = json.loads(self.secrets)
        except ValueError:
            # the text of the other error would show a part
            raise ValueError(refused) from None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ValueError(refused)
        return found


@dataclass(frozen=True)
class CodeConfig:
    """The code interpreter's sandbox."""

    walls: Literal["any", "namespaces", "landlock", "off"] = setting(
        "SANDBOX",
        "any",
        "namespaces (bubblewrap), landlock (for pods without user namespaces), any of the two, or off: no code runs.",
    )
    state: Literal["fresh", "session"] = setting(
        "CODE_STATE", "fresh", "fresh: each call has an interpreter of its own; session: variables stay."
    )
    timeout_s: float = setting("CODE_TIMEOUT_S", 20.0, "Seconds for the code of a call.")
    at_once: int = setting("CODE_AT_ONCE", 8, "Calls that run code at once; more wait.")
    memory_mib: int = setting("CODE_MEMORY_MIB", 1024, "Memory of a call.")
    disk_mib: int = setting("CODE_DISK_MIB", 128, "Files of a call, and of a session.")
    processes: int = setting("CODE_PROCESSES", 64, "Processes and threads of a call.")
    cores: int = setting("CODE_CORES", 1, "Processor cores that a call may use; 0 for all.")
    output_bytes: int = setting("CODE_OUTPUT_BYTES", 65536, "Bytes of standard output that are kept, and of errors.")
    kept: int = setting("CODE_KEPT", 16, "Interpreters that are kept for sessions.")
    idle_s: float = setting("CODE_IDLE_S", 900.0, "Seconds after which an unused one is ended.")

    def __post_init__(self) -> None:
        """Refuse what would let nothing work."""
        if self.timeout_s <= 0 or min(self.at_once, self.disk_mib, self.processes, self.output_bytes, self.kept) < 1:
            raise ValueError("CODE_TIMEOUT_S, CODE_AT_ONCE, CODE_DISK_MIB and all other bounds are positive")
        if self.memory_mib < 64 or self.cores < 0:
            raise ValueError("CODE_MEMORY_MIB: at least 64 are needed; CODE_CORES: no less than 0")


@dataclass(frozen=True)
class ToolsConfig:
    """Everything about tools."""

    search: SearchConfig = field(default_factory=SearchConfig)
    services: ServicesConfig = field(default_factory=ServicesConfig)
    reach: ReachConfig = field(default_factory=ReachConfig)
    code: CodeConfig = field(default_factory=CodeConfig)
