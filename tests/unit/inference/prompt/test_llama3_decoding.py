"""What a whole output of a Llama 3 model means."""

from __future__ import annotations

import pytest

from llamastack.common.v1.content_pb2 import Content
from llamastack.common.v1.message_pb2 import CompletionMessage, StopReason
from llamastack.common.v1.tool_pb2 import ToolCall
from llamastack.common.v1.value_pb2 import JsonValue
from mesh.json_text import Loose
from services.inference.prompt.llama3_decoding import decode
from services.inference.prompt.stream_decoder import Decoded
from tests.unit.inference.prompt.messages import END_OF_MESSAGE, END_OF_TURN, OUT_OF_TOKENS, call, ids_from

HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
DEEP = '{"name": "f", "parameters": {"a": ' + "[" * 30 + "]" * 30 + "}}"


def calls(*named: tuple[str, dict[str, Loose]]) -> tuple[ToolCall, ...]:
    return tuple(call(name, arguments, f"call-{number}") for number, (name, arguments) in enumerate(named))


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('<|python_tag|>brave_search.call(query="a \\"b\\"")<|eom_id|>', calls(("brave_search", {"query": 'a "b"'}))),
        ('brave_search.call(query="a")', calls(("brave_search", {"query": "a"}))),
        ("other_tool.call( query = 'a' )", calls(("other_tool", {"query": "a"}))),
        (
            '<|python_tag|>brave_search.call(query="a"); wolfram_alpha.call(query="b")',
            calls(("brave_search", {"query": "a"}), ("wolfram_alpha", {"query": "b"})),
        ),
        ("<|python_tag|>x = 1\nprint(x < 2)<|eom_id|>", calls(("code_interpreter", {"code": "x = 1\nprint(x < 2)"}))),
        ("<|python_tag|>[x for x in y]", calls(("code_interpreter", {"code": "[x for x in y]"}))),
        ('{"type": "function", "name": "f", "parameters": {"a": 1}}<|eot_id|>', calls(("f", {"a": 1}))),
        ('{"name": "f", "parameters": {"a": 1.0}}', calls(("f", {"a": 1.0}))),
        ('{"name": "f", "arguments": {"a": null}}', calls(("f", {"a": None}))),
        ('{"parameters": {"a": []}, "name": "f"}', calls(("f", {"a": []}))),
        ('{"type": "function", "name": "f"}', calls(("f", {}))),
        ('\n{"name": "f", "parameters": {}} as you wished', calls(("f", {}))),
        ('{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}}', calls(("f", {}), ("g", {}))),
        ('<|python_tag|>{"name": "f"}<|python_tag|>{"name": "g"}<|eom_id|>', calls(("f", {}), ("g", {}))),
        ('{"name": "brave_search", "parameters": {"q": "a"}}', calls(("brave_search", {"query": "a"}))),
        ('{"name": "code_interpreter", "parameters": {"x": "1"}}', calls(("code_interpreter", {"code": "1"}))),
        ('<function=f>{"a": 1}</function><|eot_id|>', calls(("f", {"a": 1}))),
        ('<function=f>{"a": 1}', calls(("f", {"a": 1}))),
        ('Sure: <function=f>{"a": {"b": "}"}}</function> done', calls(("f", {"a": {"b": "}"}}))),
        ("<function=f>{}</function>\n<function=g> {}</function>", calls(("f", {}), ("g", {}))),
        ("[f(a=1), g()]<|eot_id|>", calls(("f", {"a": 1}), ("g", {}))),
        ("[ns.f(a=[1, (2.5,)], from=None,)]", calls(("ns.f", {"a": [1, [2.5]], "from": None}))),
        ("[f(a={'x': true, \"y\": null})]", calls(("f", {"a": {"x": True, "y": None}}))),
        ("Here you are.<|python_tag|>print(1)", calls(("code_interpreter", {"code": "print(1)"}))),
        (f'{HEADER}<|python_tag|>{{"name": "f"}}', calls(("f", {}))),
        (f'<|begin_of_text|>{HEADER}[f(a="é\\n")]', calls(("f", {"a": "é\n"}))),
    ],
)  # fmt: skip
def test_calls_are_read_and_the_content_is_emptied(output: str, expected: tuple[ToolCall, ...]) -> None:
    decoded = decode(output.removesuffix("<|eom_id|>"), ids_from(), stop_reason=END_OF_MESSAGE)
    assert decoded.message() == CompletionMessage(
        content=Content(text=""),
        stop_reason=END_OF_TURN if output.endswith("<|eot_id|>") else END_OF_MESSAGE,
        tool_calls=expected,
    )


@pytest.mark.parametrize(
    "output",
    [
        "Hello there",
        "a < b and [c] and {d}",
        '{"answer": {"name": "f"}, "n": [1, "}"]}',
        '{"name": 5}',
        "{}",
        "{hello}",
        "[1] Smith, 2020",
        "[link](url)",
        "[f(1)]",
        "I would write f.call(query=\"x\").",
        "<function> is a tag, <function=f> too",
        "use <functions",
        "  \n",
        "",
    ],
)  # fmt: skip
def test_text_that_merely_looks_like_a_call_stays_text(output: str) -> None:
    assert decode(output, ids_from(), stop_reason=END_OF_TURN) == Decoded(output, (), END_OF_TURN)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("<|python_tag|>", ""),
        ("<|python_tag|> \n", " \n"),
        ('<|python_tag|>{"type": "function", "name": "f", "para', '{"type": "function", "name": "f", "para'),
        ('<|python_tag|><function=f>{"a": ', '<function=f>{"a": '),
        ('{"name": "f", "parameters": 5}', '{"name": "f", "parameters": 5}'),
        ('Well <function=f>{"a"}', 'Well <function=f>{"a"}'),
        ('{"name": "f", "parameters": {"a": NaN}}', '{"name": "f", "parameters": {"a": NaN}}'),
        ('{"name": "f", "parameters": {"a": 1e999}}', '{"name": "f", "parameters": {"a": 1e999}}'),
        ('{"name": "f", "parameters": {"a": "\\ud800"}}', '{"name": "f", "parameters": {"a": "\\ud800"}}'),
        (DEEP, DEEP),
        ("[f(a=1]", "[f(a=1]"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_read_fails_and_keeps_its_text(output: str, text: str) -> None:
    assert decode(output, ids_from(), stop_reason=END_OF_TURN) == Decoded(text, (), END_OF_TURN, failed=True)


@pytest.mark.parametrize(
    "output",
    [
        '{"type": "func',
        '{"na',
        "[f(a",
        "<function=f",
        "text <func",
        "<|python_tag|>print(1",
        '<|python_tag|>brave_search.call(query="a',
    ],
)
def test_a_call_that_is_cut_off_is_no_text_and_no_code(output: str) -> None:
    text = output.removeprefix("<|python_tag|>")
    assert decode(output, ids_from()) == Decoded(text, (), OUT_OF_TOKENS, failed=True)


@pytest.mark.parametrize(
    ("end", "given", "expected"),
    [
        ("<|eot_id|>", 0, END_OF_TURN),
        ("<|eot_id|>", OUT_OF_TOKENS, END_OF_TURN),
        ("<|eom_id|>", 0, END_OF_MESSAGE),
        ("<|end_of_text|>", 0, END_OF_TURN),
        ("<|start_header_id|>user<|end_header_id|>", 0, END_OF_TURN),
        ("", END_OF_TURN, END_OF_TURN),
        ("", OUT_OF_TOKENS, OUT_OF_TOKENS),
        ("", 0, OUT_OF_TOKENS),
    ],
)
def test_the_stop_reason_is_the_end_tokens_or_the_engines(
    end: str, given: StopReason.ValueType, expected: StopReason.ValueType
) -> None:
    output = f"Hi{end}" + ("ignored" if end else "")
    assert decode(output, ids_from(), stop_reason=given) == Decoded("Hi", (), expected)


def test_special_tokens_never_show() -> None:
    output = "a<|image|>b<|reserved_special_token_17|>c<|finetune_right_pad_id|><|begin_of_text|><|unknown|><|eot_id|>"
    assert decode(output, ids_from()) == Decoded("abc<|unknown|>", (), END_OF_TURN)


def test_without_tools_only_a_python_tag_makes_a_call() -> None:
    for output in ('{"name": "f"}', "<function=f>{}", "[f()]", 'brave_search.call(query="a")'):
        assert decode(output, ids_from(), tools_offered=False, stop_reason=END_OF_TURN) == Decoded(
            output, (), END_OF_TURN
        )
        tagged = decode(f"<|python_tag|>{output}", ids_from(), tools_offered=False, stop_reason=END_OF_TURN)
        assert len(tagged.tool_calls) == 1


def test_integers_stay_exact() -> None:
    digits = "9" * 6000
    for output in (
        f'{{"name": "f", "parameters": {{"a": 9007199254740993, "b": {2**63}, "c": -{digits}}}}}',
        f"[f(a=9007199254740993, b={2**63}, c=-{digits})]",
    ):
        (read,) = decode(output, ids_from(), stop_reason=END_OF_TURN).tool_calls
        assert dict(read.arguments) == {
            "a": JsonValue(integer_value=9007199254740993),
            "b": JsonValue(big_integer_value=str(2**63)),
            "c": JsonValue(big_integer_value=f"-{digits}"),
        }


def test_hostile_nesting_fails_and_does_not_crash() -> None:
    for output in ('{"name": "f", "parameters": {"a": ' + "[" * 200_000, "[f(a=" + "[" * 200_000):
        assert decode(output, ids_from(), stop_reason=END_OF_TURN).failed
