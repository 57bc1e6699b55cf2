"""A long session on the built-in model: what its context holds is asked of it, and its own counts correct the rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llamastack.agents.v1 import config_pb2, session_pb2, turn_pb2
from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceStub
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from mesh.client import Client, ClientConfig
from tests.integration.safety.apps import agents, inference

if TYPE_CHECKING:
    from llamastack.agents.v1.agentic_system_service_pb2_grpc import AgenticSystemServiceAsyncStub

pytestmark = pytest.mark.timeout(300)

MODEL = "altiplano-builtin"
TURNS = 6
# numbers take this model one token per digit, which the rule does not know
LONG = "My locker has the number 7731. " + "Zyxwvut 0918273645 qwrtzplk. " * 16


async def test_a_session_on_the_builtin_model_goes_on_beyond_its_context(tmp_path: Path) -> None:
    async with (
        inference(tmp_path / "inference") as models,
        agents(tmp_path / "agents", models) as address,
        Client(ClientConfig()) as client,
    ):
        stub: AgenticSystemServiceAsyncStub = AgenticSystemServiceStub(client.channel(address))
        config = config_pb2.AgenticSystemInstanceConfig(
            instructions="Be brief.", model=MODEL, sampling_params=SamplingParams(max_tokens=2)
        )
        made = await stub.CreateAgenticSystem(config_pb2.AgenticSystemCreateRequest(instance_config=config))
        session = session_pb2.AgenticSystemSessionCreateRequest(system_id=made.system_id, session_name="long")
        session_id = (await stub.CreateSession(session)).session_id
        said = turn_pb2.TurnInputMessage(user=UserMessage(content=Content(text=LONG)))
        request = turn_pb2.AgenticSystemTurnCreateRequest(
            system_id=made.system_id, session_id=session_id, messages=[said]
        )
        left_out = []
        for _ in range(TURNS):
            last = await stub.CreateTurn(request, timeout=120)
            (step,) = last.event.payload.turn_complete.turn.steps
            left_out.append(step.inference.context_trim.messages_left_out)
    assert left_out[0] == 0
    assert 0 < left_out[-1] < 2 * (TURNS - 1)
    assert left_out == sorted(left_out)
