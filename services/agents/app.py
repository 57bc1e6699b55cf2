"""Puts the agents service together; the only module that names concrete classes."""

from __future__ import annotations

import httpx

from llamastack.safety.v1.safety_service_pb2_grpc import add_SafetyServiceServicer_to_server
from llamastack.tools.v1.tools_service_pb2_grpc import add_ToolsServiceServicer_to_server
from mesh.addresses import AddressGuard
from mesh.apart.program import Program, ProgramLimits
from mesh.channel import Companion
from mesh.client import Client
from mesh.health import Dependency
from mesh.migrations import migrate
from mesh.server import Attachments, Registration, Server
from mesh.storage import Storage
from mesh.telemetry.process import ProcessTelemetry
from services.agents.config import AgentsConfig
from services.agents.safety.code_scanner import ENVIRON as CODE_ENVIRON
from services.agents.safety.code_scanner import PROGRAM as CODE_PROGRAM
from services.agents.safety.code_scanner import CodeScannerGuard
from services.agents.safety.config import SafetyConfig
from services.agents.safety.guard import LlamaGuard
from services.agents.safety.inference import Inference
from services.agents.safety.pii import PROGRAM as PII_PROGRAM
from services.agents.safety.pii import PiiShield
from services.agents.safety.prompt_guard import Attack, PromptGuard
from services.agents.safety.servicer import SafetyServicer
from services.agents.safety.shields import Shields
from services.agents.safety.third_party import ThirdPartyShield
from services.agents.shielding import ShieldRunner
from services.agents.tool_parts import ToolParts
from services.agents.tools.guarded import GuardedTransport
from services.agents.tools.servicer import ToolsServicer
from services.agents.tools.tables import MIGRATIONS as TOOLS


class App:
    """The service: its database and its server."""

    def __init__(self, config: AgentsConfig, telemetry: ProcessTelemetry) -> None:
        """Build everything; nothing is opened before :meth:`begin`."""
        self._telemetry = telemetry
        self._storage = Storage(config.database())
        self._client = Client(config.peers.calls, _companions(config, telemetry))
        self._safety = Safety(config.safety, self._client, config.peers.inference)
        self._tools = ToolParts(config.tools, self._storage, self._client, config.data)
        self.server = Server(
            config.server,
            [
                Registration(
                    add_SafetyServiceServicer_to_server,
                    SafetyServicer(self._safety.shields, config.safety.timeout_s),
                ),
                _tools(self._tools),
            ],
            Attachments(
                dependencies=[Dependency("database", self._storage.check)],
                authenticator=config.auth.services(),
                outermost=[telemetry.interceptor],
            ),
        )
        telemetry.show_active(lambda: float(self.server.active))

    async def begin(self) -> None:
        """Bring the database up to date."""
        await migrate(self._storage, [TOOLS])
        self._tools.begin()

    async def stop(self) -> None:
        """Close the connections and the database, and send the last spans."""
        await self._tools.stop()
        await self._safety.close()
        await self._client.close()
        await self._storage.close()
        self._telemetry.close()


def _tools(parts: ToolParts) -> Registration:
    return Registration(add_ToolsServiceServicer_to_server, ToolsServicer(parts.toolbox))


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


def _companions(config: AgentsConfig, telemetry: ProcessTelemetry) -> list[Companion]:
    """Return what calls of other services carry: the caller's identity and the trace."""
    identity = config.auth.companion("agents")
    return [telemetry.companion] if identity is None else [identity, telemetry.companion]
