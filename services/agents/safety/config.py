"""The settings of the shields."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.config import setting


@dataclass(frozen=True)
class SafetyConfig:
    """Which models judge, and what judging may take."""

    guard_model: str = setting(
        "GUARD_MODEL",
        "altiplano-builtin",
        "The model of llama_guard where a shield names none; the built-in one shows the format and is no protection.",
    )
    prompt_guard_model: str = setting(
        "PROMPT_GUARD_MODEL",
        "",
        "The classifier of injection_shield and jailbreak_shield where a shield names none; empty for none.",
    )
    hosts: tuple[str, ...] = setting(
        "SHIELD_HOSTS", (), "Names of the only hosts that third parties' shields may be on; empty for any."
    )
    private_hosts: tuple[str, ...] = setting(
        "SHIELD_PRIVATE_HOSTS", (), "Names of hosts of such shields whose addresses need not be public."
    )
    timeout_s: float = setting("SHIELDS_TIMEOUT_S", 60.0, "Seconds for all the shields of a call together.")
    scan_timeout_s: float = setting("SCAN_TIMEOUT_S", 30.0, "Seconds for one scan of code or personal data.")
    scan_memory_mib: int = setting("SCAN_MEMORY_MIB", 4096, "Address space of a process that scans, in MiB.")
    scans_at_once: int = setting("SCANS_AT_ONCE", 1, "Processes per scanner; each keeps what it has imported.")

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing through."""
        if self.timeout_s <= 0 or self.scan_timeout_s <= 0:
            raise ValueError("SHIELDS_TIMEOUT_S and SCAN_TIMEOUT_S are positive")
        if self.scan_memory_mib < 1024 or self.scans_at_once < 1:
            raise ValueError("SCAN_MEMORY_MIB is at least 1024 and SCANS_AT_ONCE at least 1")
