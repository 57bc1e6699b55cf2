"""What prompts leave out to fit; a message counts one token per character here."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import CompletionMessage, Message, SystemMessage, ToolResponseMessage, UserMessage
from llamastack.common.v1.tool_pb2 import ToolCall, ToolName
from services.agents.trimming import Outline, Trimmed, trimmed

LONG = "x" * 1000
SYSTEM = Message(system=SystemMessage(content=Content(text="rules")))


def user(text: str) -> Message:
    return Message(user=UserMessage(content=Content(text=text)))


def says(text: str) -> Message:
    return Message(completion=CompletionMessage(content=Content(text=text)))


def asks(*call_ids: str) -> Message:
    calls = [ToolCall(call_id=call_id, tool_name=ToolName(custom="look")) for call_id in call_ids]
    return Message(completion=CompletionMessage(tool_calls=calls))


def result(call_id: str, text: str = "found") -> Message:
    told = ToolResponseMessage(call_id=call_id, tool_name=ToolName(custom="look"), content=Content(text=text))
    return Message(tool_response=told)


def text(message: Message) -> str:
    content = getattr(message, str(message.WhichOneof("message"))).content
    return content.text or "".join(part.text for part in content.parts.parts)


def size(message: Message) -> int:
    return len(text(message)) + 10 * len(message.completion.tool_calls)


def total(made: Trimmed) -> int:
    return sum(map(size, made.messages))


def conversation(*turns: Sequence[Message]) -> tuple[list[Message], Outline]:
    """Return a prompt with its outline; the last turn is the one that runs."""
    *past, _ = turns
    return [SYSTEM, *(message for turn in turns for message in turn)], Outline(1, tuple(map(len, past)))


def test_what_fits_stays_as_it_is() -> None:
    messages, outline = conversation([user("a"), asks("1"), result("1", LONG), says("b")], [user("c")])
    assert trimmed(messages, outline, sum(map(size, messages)), size) == Trimmed(messages)


def test_results_of_earlier_turns_are_clipped_before_any_turn_is_left_out() -> None:
    old, new = [user("a"), asks("1"), result("1", LONG), says("b")], [user("c")]
    messages, outline = conversation(old, new)
    made = trimmed(messages, outline, 900, size)
    assert (made.left_out, made.clipped) == (0, 1)
    assert [message for message in made.messages if not message.HasField("tool_response")] == [
        SYSTEM,
        *[message for message in [*old, *new] if not message.HasField("tool_response")],
    ]
    assert text(made.messages[3]) == "x" * 150 + "\n[… 800 characters left out …]\n" + "x" * 50
    assert made.messages[3].tool_response.call_id == "1"


def test_the_oldest_turns_go_first_and_instructions_and_the_turn_stay() -> None:
    turns = [[user(f"{number}" * 100), says(f"{number}" * 100)] for number in range(5)]
    messages, outline = conversation(*turns, [user("now")])
    made = trimmed(messages, outline, 530, size)
    assert made.messages == [SYSTEM, *turns[3], *turns[4], user("now")]
    assert (made.left_out, made.clipped) == (6, 0)


def test_a_conversation_that_grows_begins_alike_for_several_turns() -> None:
    begins = []
    for length in range(20, 40):
        turns = [[user(f"{number:02}" * 10), says(f"{number:02}" * 10)] for number in range(length)]
        messages, outline = conversation(*turns, [user("now")])
        made = trimmed(messages, outline, 400, size)
        assert total(made) <= 400
        begins.append(text(made.messages[1])[:2])
    assert len(set(begins)) <= len(begins) // 2


def test_the_result_of_a_client_goes_with_the_call_of_the_turn_before() -> None:
    asked, told = [user("a" * 100), asks("1")], [result("1"), says("b" * 100)]
    later = [user("c"), says("d")]
    messages, outline = conversation(asked, told, later, [user("now")])
    made = trimmed(messages, outline, 200, size)
    assert made.messages == [SYSTEM, *later, user("now")]


def test_a_result_that_begins_the_turn_keeps_the_call_that_it_belongs_to() -> None:
    old, asked = [user("a" * 100), says("b" * 100)], [user("what?"), asks("1")]
    messages, outline = conversation(old, asked, [result("1", "y" * 100)])
    made = trimmed(messages, outline, 140, size)
    assert made.messages == [SYSTEM, *asked, result("1", "y" * 100)]


def test_a_chain_of_calls_that_the_client_runs_loses_its_oldest_ones() -> None:
    first = [user("what?"), asks("0")]
    chain = [[result(f"{number}", "y" * 100), asks(f"{number + 1}")] for number in range(5)]
    messages, outline = conversation(first, *chain, [result("5", "y" * 100)])
    made = trimmed(messages, outline, 250, size)
    assert made.messages == [
        SYSTEM,
        user("what?"),
        asks("4"),
        result("4", "y" * 100),
        asks("5"),
        result("5", "y" * 100),
    ]


def test_the_turns_own_earlier_calls_are_clipped_and_then_go_with_their_results() -> None:
    own = [user("what?"), asks("1"), result("1", LONG), asks("2"), result("2", LONG), asks("3"), result("3", "new")]
    messages, outline = conversation([user("a"), says("b")], own)
    made = trimmed(messages, outline, 600, size)
    assert (made.left_out, made.clipped, made.messages[-1]) == (0, 2, own[-1])
    made = trimmed(messages, outline, 300, size)
    assert (made.left_out, made.clipped) == (4, 1)
    assert made.messages[:3] == [SYSTEM, own[0], asks("2")]
    made = trimmed(messages, outline, 200, size)
    assert made.messages == [SYSTEM, own[0], *own[-2:]]


def test_the_newest_results_share_what_room_there_is_and_small_ones_stay_whole() -> None:
    own = [user("what?"), asks("1", "2", "3"), result("1", LONG), result("2", "small"), result("3", LONG)]
    messages, outline = conversation(own)
    made = trimmed(messages, outline, 1000, size)
    assert total(made) <= 1000
    assert (made.left_out, made.clipped) == (0, 2)
    assert made.messages[4] == own[3]
    assert min(size(made.messages[3]), size(made.messages[5])) > 300


def test_files_of_a_result_that_is_clipped_stay() -> None:
    file = Attachment(url=Url(uri="https://example.com/plot.png"), mime_type="image/png")
    parts = ContentParts(parts=[ContentPart(text=LONG), ContentPart(attachment=file)])
    told = ToolResponseMessage(call_id="1", tool_name=ToolName(custom="look"), content=Content(parts=parts))
    messages, outline = conversation([user("a"), asks("1"), Message(tool_response=told), says("b")], [user("c")])
    made = trimmed(messages, outline, 600, size)
    assert made.clipped == 1
    assert made.messages[3].tool_response.content.parts.parts[1] == parts.parts[1]


@pytest.mark.parametrize("room", [0, 1, 5, -10])
def test_what_has_to_stay_stays_however_little_room_there_is(room: int) -> None:
    messages, outline = conversation([user("a"), says("b")], [user("now"), asks("1"), result("1")])
    assert trimmed(messages, outline, room, size).messages == [SYSTEM, *messages[-3:]]


def test_no_call_is_ever_without_its_result_nor_a_result_without_its_call() -> None:
    turns = []
    for number in range(12):
        ids = [f"{number}-{place}" for place in range(number % 3)]
        calls = [asks(*ids), *(result(call_id, "y" * 40 * number) for call_id in ids)] if ids else []
        turns.append([user(f"q{number}" * 10), *calls, says(f"a{number}" * 10)])
    turns.append([user("now"), asks("x"), result("x", LONG), asks("z"), result("z", LONG)])
    messages, outline = conversation(*turns)
    for room in range(0, 6000, 37):
        made = trimmed(messages, outline, room, size)
        calls = {call.call_id for message in made.messages for call in message.completion.tool_calls}
        results = {m.tool_response.call_id for m in made.messages if m.HasField("tool_response")}
        assert calls == results
        assert made.left_out == len(messages) - len(made.messages)
