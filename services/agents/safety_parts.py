"""Puts the shields together for ``app.py``, which would be too long with it."""

from __future__ import annotations

import httpx

from mesh.addresses import AddressGuard
from mesh.apart.program import Program, ProgramLimits
from mesh.client import Client
from services.agents.safety.code_scanner import ENVIRON as CODE_ENVIRON
from services.agents.safety.code_scanner import PROGRAM as CODE_PROGRAM
from services.agents.safety.code_scanner import CodeScannerGuard
from services.agents.safety.config import SafetyConfig
from services.agents.safety.guard import LlamaGuard
from services.agents.safety.inference import Inference
from services.agents.safety.pii import PROGRAM as PII_PROGRAM
from services.agents.safety.pii import PiiShield
from services.agents.safety.prompt_guard import Attack, PromptGuard
from services.agents.safety.shields import Shields
from services.agents.safety.third_party import ThirdPartyShield
from services.agents.shielding import ShieldRunner
from services.agents.tools.guarded import GuardedTransport


class Safety:
    """The shields and what has to be closed behind them."""

    def __init__(self, config: SafetyConfig, client: Client, inference_address: str) -> None:
        """Build them; nothing is started before its first use."""
        inference = Inference(client.channel(inference_address))
        limits = ProgramLimits(
            timeout_s=config.scan_timeout_s, memory_mib=config.scan_memory_mib, at_once=config.scans_at_once
        )
        self._code = Program(CODE_PROGRAM, "The scan for insecure code", limits, CODE_ENVIRON)
        self._pii = Program(PII_PROGRAM, "The scan for personal data", limits)
        addresses = AddressGuard(frozenset(config.private_hosts), frozenset(config.hosts))
        self._web = httpx.AsyncClient(transport=GuardedTransport(addresses), timeout=config.timeout_s)
        self.shields = Shields(
            {
                "llama_guard": LlamaGuard(inference, config.guard_model),
                "code_scanner_guard": CodeScannerGuard(self._code),
                "third_party_shield": ThirdPartyShield(self._web),
                "injection_shield": PromptGuard(inference, config.prompt_guard_model, Attack.INJECTION),
                "jailbreak_shield": PromptGuard(inference, config.prompt_guard_model, Attack.JAILBREAK),
                "pii_shield": PiiShield(self._pii),
            }
        )

    @property
    def runner(self) -> ShieldRunner:
        """The shields as turns see them."""
        return self.shields

    async def close(self) -> None:
        """End the scanners and close the connections to third parties."""
        await self._code.close()
        await self._pii.close()
        await self._web.aclose()
