"""The reader of restricted outputs: any split of an output gives the same calls."""

from __future__ import annotations

import json
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.openai.v1.usage_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, FINISH_REASON_TOOL_CALLS
from services.inference.openai.call_reader import CallReader
from services.inference.openai.output import CallBegin, CallText, Part

END = StopReason.STOP_REASON_END_OF_TURN
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.tuples(st.from_regex(r"[a-zA-Z0-9_.-]{1,64}", fullmatch=True), st.dictionaries(st.text(), VALUES, max_size=3)),
    min_size=1,
    max_size=3,
)


def read(text: str, cuts: list[int], *, answers: bool) -> tuple[list[Part], int]:
    """Return the parts of an output that comes in pieces, and its finish reason."""
    ids = count()
    reader = CallReader(lambda: f"call_{next(ids)}", answers=answers)
    parts: list[Part] = []
    for begin, end in pairwise([0, *sorted(cuts), len(text)]):
        parts += reader.push(text[begin:end], ())
    ending = reader.finish(END)
    return [*parts, *ending.parts], ending.reason


def whole_calls(parts: list[Part]) -> list[tuple[str, str, Any]]:
    """Return ids, names and arguments."""
    calls: list[tuple[str, str, list[str]]] = []
    for part in parts:
        match part:
            case CallBegin():
                assert part.index == len(calls)
                calls.append((part.call_id, part.name, []))
            case CallText():
                assert part.index == len(calls) - 1
                calls[-1][2].append(part.text)
            case _:
                pytest.fail(f"text {part!r} in an output of calls")
    return [(call_id, name, json.loads("".join(texts))) for call_id, name, texts in calls]


@given(CALLS, st.data(), st.booleans(), st.sampled_from([None, 2]), st.booleans())
def test_any_split_of_calls_gives_the_same_calls(
    calls: list[tuple[str, dict[str, Any]]], data: st.DataObject, answers: bool, indent: int | None, ascii_only: bool
) -> None:
    forms = [{"type": "function", "name": name, "parameters": arguments} for name, arguments in calls]
    document = forms[0] if len(forms) == 1 and data.draw(st.booleans()) else forms
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20))
    parts, reason = read(text, cuts, answers=answers)
    assert whole_calls(parts) == [(f"call_{index}", *call) for index, call in enumerate(calls)]
    assert reason == FINISH_REASON_TOOL_CALLS


@given(st.dictionaries(st.sampled_from(["type", "name", "x"]), VALUES), st.data())
def test_any_split_of_an_answer_gives_the_answer(answer: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(answer)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20))
    parts, reason = read(text, cuts, answers=True)
    assert "".join(part for part in parts if isinstance(part, str)) == text
    assert reason == FINISH_REASON_STOP


def test_an_answer_is_not_held_back_longer_than_it_may_be_a_call() -> None:
    reader = CallReader(str, answers=True)
    assert list(reader.push('{"type": "fun', ())) == []
    assert list(reader.push("d", ())) == ['{"type": "fund']
    assert list(reader.push('"', ())) == ['"']


def test_a_call_that_has_hardly_begun_is_never_text() -> None:
    reader = CallReader(str, answers=False)
    assert list(reader.push('{"type": "function", "na', ())) == []
    ending = reader.finish(StopReason.STOP_REASON_OUT_OF_TOKENS)
    assert (list(ending.parts), ending.reason) == ([], FINISH_REASON_LENGTH)
