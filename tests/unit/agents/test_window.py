"""How much of a context prompts may take."""

from __future__ import annotations

import pytest

from llamastack.agents.v1.config_pb2 import AgenticSystemInstanceConfig
from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, UserMessage
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.inference.v1.inference_pb2 import ChatCompletionRequest
from services.agents.trimming import Outline
from services.agents.window import Allowance, Window, Windows

PLAIN = AgenticSystemInstanceConfig()


class Told:
    """Knows the lengths of contexts, and how often it was asked."""

    def __init__(self, **lengths: int | None) -> None:
        self.lengths = lengths
        self.asked = 0

    async def context_length(self, model: str) -> int | None:
        self.asked += 1
        return self.lengths[model]


def prompt(words: int, turns: int = 10) -> tuple[ChatCompletionRequest, Outline]:
    """Return a request of turns of so many short words each, and its outline."""
    user = Message(user=UserMessage(content=Content(text="word " * words)))
    answer = Message(completion=CompletionMessage(content=Content(text="yes")))
    return ChatCompletionRequest(messages=[*[user, answer] * turns, user]), Outline(0, (2,) * turns)


@pytest.mark.parametrize(
    ("length", "allowance", "stated", "room"),
    [
        (8192, Allowance(), 0, 8192 - 1024),
        (2048, Allowance(), 0, 2048 - 512),
        (8192, Allowance(), 100, 8192 - 100),
        (8192, Allowance(), 8000, 4096),
        (8192, Allowance(prompt_tokens=1000), 0, 1000),
        (8192, Allowance(prompt_tokens=0), 0, None),
        (0, Allowance(), 0, None),
        (0, Allowance(prompt_tokens=1000), 0, 1000),
    ],
)
def test_the_answer_has_room_of_its_own(length: int, allowance: Allowance, stated: int, room: int | None) -> None:
    config = AgenticSystemInstanceConfig(sampling_params=SamplingParams(max_tokens=stated))
    assert Window(length, allowance).room(config) == room


def test_turns_are_left_out_until_a_prompt_fits_by_what_the_model_counts() -> None:
    window = Window(2048, Allowance())
    request, outline = prompt(100)
    made = window.fit(request, outline, window.room(PLAIN))
    assert made.is_whole
    # the model counts twice as much as the rule
    window.counted(request, 2400)
    made = window.fit(request, outline, window.room(PLAIN))
    assert made.left_out == len(prompt(100)[0].messages) - len(request.messages) > 0
    assert 100 * 2 * sum(message.HasField("user") for message in request.messages) < 1536


def test_a_prompt_that_is_refused_is_made_shorter_each_time() -> None:
    window = Window(0, Allowance())
    request, outline = prompt(100)
    sizes = []
    room = None
    for _ in range(3):
        request, outline = prompt(100)
        window.fit(request, outline, room)
        sizes.append(len(request.messages))
        room = window.refused(request)
    assert sizes == sorted(set(sizes), reverse=True)


def test_nothing_is_left_out_where_that_is_the_setting() -> None:
    window = Window(2048, Allowance(prompt_tokens=0))
    request, outline = prompt(1000)
    assert window.fit(request, outline, window.room(PLAIN)).is_whole
    assert window.refused(request) is None


async def test_the_length_of_a_context_is_asked_for_once_a_minute() -> None:
    now = 0.0
    told = Told(model=2048, silent=None)
    windows = Windows(told, Allowance(), lambda: now)
    first = await windows.of("model")
    now = 59.0
    assert await windows.of("model") is first
    assert told.asked == 1
    now = 61.0
    assert await windows.of("model") is first
    told.lengths["model"] = 4096
    now = 122.0
    assert (await windows.of("model")).length == 4096
    assert told.asked == 3


async def test_a_length_that_nobody_can_tell_now_is_asked_for_again() -> None:
    told = Told(silent=None)
    windows = Windows(told, Allowance(), lambda: 0.0)
    assert (await windows.of("silent")).length == 0
    told.lengths["silent"] = 2048
    assert (await windows.of("silent")).length == 2048


async def test_names_of_models_are_not_remembered_for_ever() -> None:
    told = Told(model=2048, **{f"other{number}": 1024 for number in range(1000)})
    windows = Windows(told, Allowance(), lambda: 0.0)
    await windows.of("model")
    for number in range(1000):
        await windows.of(f"other{number}")
    assert told.asked == 1001
    await windows.of("other0")
    assert told.asked == 1001
    await windows.of("model")
    assert told.asked == 1002
