"""The stream decoder of Llama 3 says the same as the whole-output decoder, earlier."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamastack.common.v1.message_pb2 import StopReason
from llamastack.common.v1.tool_pb2 import ToolPromptFormat
from llamastack.inference.v1.inference_pb2 import ToolCallDelta, ToolCallParseStatus
from mesh.json_text import Loose
from services.inference.prompt import tokens
from services.inference.prompt.call_writing import write_calls
from services.inference.prompt.llama3_decoding import decode
from services.inference.prompt.llama3_stream import Llama3Stream
from services.inference.prompt.stream_decoder import End, Piece, in_progress, outcome, started
from tests.unit.inference.prompt.messages import END_OF_MESSAGE, END_OF_TURN, call, ids_from

STARTED = ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_STARTED
IN_PROGRESS = ToolCallParseStatus.TOOL_CALL_PARSE_STATUS_IN_PROGRESS


def run(
    texts: Sequence[str], stop: StopReason.ValueType = StopReason.STOP_REASON_UNSPECIFIED, *, tools_offered: bool = True
) -> tuple[list[Piece], End]:
    stream = Llama3Stream(ids_from(), tools_offered=tools_offered)
    pieces = [piece for text in texts for piece in stream.push(text)]
    end = stream.finish(stop)
    return [*pieces, *end.pieces], end


def shown(pieces: Sequence[Piece]) -> tuple[str, str, list[ToolCallDelta]]:
    """Return the text that was shown, the raw text of calls, and the other pieces in order."""
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    deltas = [piece for piece in pieces if not isinstance(piece, str)]
    raw = "".join(delta.content.text for delta in deltas if delta.parse_status == IN_PROGRESS)
    return text, raw, [delta for delta in deltas if delta.parse_status != IN_PROGRESS]


def test_text_comes_as_it_is_pushed() -> None:
    stream = Llama3Stream(ids_from())
    assert [list(stream.push(text)) for text in ("Hello,", " wor", "ld", "<|eot_id|>", "more")] == [
        ["Hello,"], [" wor"], ["ld"], [], [],
    ]  # fmt: skip
    assert stream.stopped
    assert stream.finish().decoded.message() == decode("Hello, world<|eot_id|>", ids_from()).message()


def test_a_python_tag_starts_a_call_whose_text_follows_in_fragments() -> None:
    pieces, _ = run(["<|python_tag|>", "brave_search.call(", 'query="a")', "<|eom_id|>"])
    assert pieces == [
        started(),
        in_progress("brave_search.call("),
        in_progress('query="a")'),
        *outcome([call("brave_search", {"query": "a"})]),
    ]


def test_several_calls_succeed_one_by_one() -> None:
    pieces, end = run(["[f(a=1),", " g()]"], END_OF_TURN)
    read = [call("f", {"a": 1}, "call-0"), call("g", {}, "call-1")]
    assert pieces == [started(), in_progress("[f(a=1),"), in_progress(" g()]"), *outcome(read)]
    assert end.decoded.tool_calls == tuple(read)


def test_a_python_tag_with_nothing_after_it_fails() -> None:
    assert run(["<|python_tag|>", "<|eom_id|>"])[0] == [started(), *outcome([])]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["{", '"answer"', ": 4", "}", " ok"], [[], [], [], ['{"answer": 4}'], [" ok"]]),
        (["{", "x", "y"], [[], ["{x"], ["y"]]),
        (["[", "1", "]"], [[], ["[1"], ["]"]]),
        (["a <", " b"], [["a "], ["< b"]]),
        (["<", "func", "tion", "s>"], [[], [], [], ["<functions>"]]),
        (["a <|", "eo", "x"], [["a "], [], ["<|eox"]]),
        (["Hello", " you"], [[], ["Hello you"]]),
        (["12", " you"], [["12"], [" you"]]),
    ],
)
def test_what_looks_like_a_call_is_held_back_only_as_long_as_needed(
    texts: list[str], expected: list[list[str]]
) -> None:
    stream = Llama3Stream(ids_from())
    assert [list(stream.push(text)) for text in texts] == expected


def test_nothing_is_held_back_where_no_tools_were_offered() -> None:
    texts = ["Hello", '{"name"', "<function=f>{", "[f("]
    for text in texts:
        assert list(Llama3Stream(ids_from(), tools_offered=False).push(text)) == [text]


def test_a_call_without_a_tag_starts_as_soon_as_it_is_one() -> None:
    stream = Llama3Stream(ids_from())
    texts = ['{"type"', ': "function"', ', "name": "f"', "}"]
    assert [list(stream.push(text)) for text in texts] == [
        [],
        [started(), in_progress('{"type": "function"')],
        [in_progress(', "name": "f"')],
        [in_progress("}")],
    ]


names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
# Special tokens never come out of a model's text other than as themselves; the rest of Unicode does.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda text: not tokens.SPECIAL.search(text)
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values: st.SearchStrategy[Loose] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
arguments = st.dictionaries(names, values, max_size=3)
formats = st.sampled_from([number for number in ToolPromptFormat.values() if number])
called = st.lists(st.tuples(names, arguments), min_size=1, max_size=3)
looks = st.sampled_from(
    ["<function=f>{", "<func", "{", '{"name": "f"', "[f(a=1)]", "[", "f.call(query=", "<|eo", "\n", '"', "}"]
)
ends = st.sampled_from(["", tokens.EOT, tokens.EOM, tokens.EOT + "x"])
headers = st.sampled_from(["", "<|start_header_id|>assistant<|end_header_id|>\n\n", tokens.BEGIN_OF_TEXT])
fragments = st.lists(texts | looks | st.sampled_from([*tokens.IDS, "<|reserved_special_token_3|>"]), max_size=8).map(
    "".join
)


@st.composite
def outputs(draw: st.DrawFn) -> str:
    made = draw(called)
    written = write_calls([call(name, given) for name, given in made], draw(formats))
    body = draw(st.sampled_from([f"{tokens.PYTHON_TAG}{written}", written]) | texts | fragments)
    return draw(headers) + body + draw(ends)


@st.composite
def split_outputs(draw: st.DrawFn) -> tuple[str, list[str]]:
    output = draw(outputs())
    cuts = sorted(draw(st.sets(st.integers(0, len(output)), max_size=12)))
    if draw(st.booleans()):
        cuts = list(range(len(output)))
    return output, [output[a:b] for a, b in zip([0, *cuts], [*cuts, len(output)], strict=True)]


@given(split_outputs(), st.sampled_from(StopReason.values()), st.booleans())
@settings(max_examples=600, deadline=None)
def test_any_split_of_any_output_decodes_as_the_whole(
    split: tuple[str, list[str]], stop: StopReason.ValueType, tools_offered: bool
) -> None:
    output, pushed = split
    whole = decode(output, ids_from(), tools_offered=tools_offered, stop_reason=stop)
    pieces, end = run(pushed, stop, tools_offered=tools_offered)
    assert end.decoded == whole
    text, raw, others = shown(pieces)
    has_call = bool(whole.tool_calls) or whole.failed
    assert others == ([started(), *outcome(whole.tool_calls)] if has_call else [])
    if not whole.tool_calls:
        assert text + raw == whole.text
    assert "" not in pieces


@given(called, formats, st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_calls_cut_at_any_boundary_give_the_same_calls_and_no_text(
    made: list[tuple[str, dict[str, Loose]]], tool_format: ToolPromptFormat.ValueType, tagged: bool, data: st.DataObject
) -> None:
    calls = [call(name, given, f"call-{number}") for number, (name, given) in enumerate(made)]
    output = (tokens.PYTHON_TAG if tagged else "") + write_calls(calls, tool_format) + tokens.EOM
    cuts = sorted(data.draw(st.sets(st.integers(1, len(output) - 1), max_size=20)))
    pieces, end = run([output[a:b] for a, b in zip([0, *cuts], [*cuts, len(output)], strict=True)])
    assert (shown(pieces)[0], end.decoded.tool_calls, end.decoded.stop_reason) == ("", tuple(calls), END_OF_MESSAGE)


@given(called, formats, st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_call_that_ends_early_never_shows_as_text(
    made: list[tuple[str, dict[str, Loose]]], tool_format: ToolPromptFormat.ValueType, tagged: bool, data: st.DataObject
) -> None:
    output = (tokens.PYTHON_TAG if tagged else "") + write_calls(
        [call(name, given) for name, given in made], tool_format
    )
    # A special token comes whole or not at all, and a bare bracket is no sign of a call.
    cut = data.draw(st.integers(len(tokens.PYTHON_TAG) if tagged else 3, len(output)))
    pieces, _ = run(list(output[:cut]))
    assert shown(pieces)[0] == ""


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", "word "),
        ("<|python_tag|>", "x < 1; "),
        ('{"name": "f", "parameters": {"a": "', "word < "),
        ('{"answer": "', "word [{<"),
        ("", "a < b <fun "),
    ],
)
def test_a_token_costs_the_same_however_long_the_output_is(head: str, body: str) -> None:
    def seconds_per_token(count: int) -> float:
        best = float("inf")
        for _ in range(3):
            stream = Llama3Stream(ids_from())
            stream.push(head)
            begin = time.perf_counter()
            for _ in range(count):
                stream.push(body)
            best = min(best, (time.perf_counter() - begin) / count)
        return best

    # Twenty times the length: a decoder that looks back would take twenty times as long for each token.
    assert seconds_per_token(20_000) < 5 * seconds_per_token(1_000)
