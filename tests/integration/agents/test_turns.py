"""A turn: its steps, their order and their events."""

from __future__ import annotations

import asyncio

from llamastack.agents.v1 import turn_pb2
from mesh.errors import BackendUnavailable, ResourceBusy, ResourceExists, ResourceNotFound
from tests.integration.agents.scripted import (
    END_OF_MESSAGE,
    OUT_OF_TOKENS,
    SEARCH,
    asks,
    call,
    custom,
    says,
)
from tests.integration.agents.serving import Played, Served, ended, refused, shape


async def test_a_plain_turn_is_one_inference_and_its_events(served: Served, around: Played) -> None:
    around.model.answers = [says("Hello", " there")]
    talk = await served.session()
    events = await talk.turn("hi")
    assert shape(events) == [
        "turn_start",
        "start inference",
        "+Hello",
        "+ there",
        "complete inference",
        "turn_complete",
    ]
    assert [chunk.sequence for chunk in events] == [1, 2, 3, 4, 5, 6]
    assert around.model.prompts() == [["system: Be brief.", "user: hi"]]
    turn = ended(events)
    assert turn.output_message.content.text == "Hello there"
    assert turn == await talk.get(turn.turn_id)
    assert list((await talk.whole()).turns) == [turn]
