"""Malformed JSON is refused with the path of the bad value and what was expected and found there."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message_factory import GetMessageClass

from gateway.codec import Codec, CodecSettings, DecodeError, parse
from tests.contracts import POOL
from tests.unit.gateway.shapes import shape

CODEC = Codec(POOL)
CHAT = "llamastack.inference.v1.ChatCompletionRequest"
CONTENT = "a string, an object (Attachment) or an array"
INT32 = "an integer from -2147483648 to 2147483647"
INT64 = "an integer from -9223372036854775808 to 9223372036854775807"
TOOLS = '"brave_search", "wolfram_alpha", "photogen" or "code_interpreter" or a string'
MESSAGE = (
    "an object (UserMessage), an object (SystemMessage), an object (ToolResponseMessage) "
    "or an object (CompletionMessage)"
)
IMAGE = {"url": "data:,", "mime_type": "image/png"}
GREEDY = {"strategy": "greedy"}
TIME = "an RFC 3339 time like 2024-08-20T12:00:00Z"
COLORS = '"unspecified", "red", "sky_blue" or "Teal!"'
MEMBERS = (
    "model, messages, sampling_params, available_tools, tool_prompt_format, logprobs, quantization_config, guidance, "
    "session_id, priority, omit_system_section, tool_choice"
)


def chat(**members: object) -> dict[str, object]:
    """Return a chat request with the given members in place of its own."""
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | members


def messages(*found: object) -> dict[str, object]:
    """Return a chat request with these messages."""
    return chat(messages=list(found))


def assistant(**members: object) -> dict[str, object]:
    """Return an assistant message with the given members besides its own."""
    return {"role": "assistant", "content": "", "stop_reason": "end_of_turn", "tool_calls": []} | members


def call(**arguments: object) -> dict[str, object]:
    """Return a chat request whose message calls a tool with these arguments."""
    return messages(assistant(tool_calls=[{"call_id": "1", "tool_name": "f", "arguments": arguments}]))


def caught(name: str, value: object, codec: Codec = CODEC) -> DecodeError:
    """Return the error that a JSON value is refused with."""
    message = shape(name) if "." not in name else name
    with pytest.raises(DecodeError) as info:
        codec.decoder(message)(json.dumps(value).encode())
    return info.value


@pytest.mark.parametrize(
    ("value", "path", "expected", "found"),
    [
        ([], "", "an object (ChatCompletionRequest)", "an array"),
        (None, "", "an object (ChatCompletionRequest)", "null"),
        ("x" * 80, "", "an object (ChatCompletionRequest)", f'"{"x" * 58}…'),
        (chat(modell="m"), "modell", f"one of the members {MEMBERS}", "an unknown member"),
        (chat(model=1), "model", "a string", "1"),
        (chat(model=None), "model", "a string", "null"),
        ({"model": "m"}, "messages", "an array", "nothing"),
        (chat(messages={}), "messages", "an array", "an object"),
        (messages("hi"), "messages[0]", MESSAGE, '"hi"'),
        (messages({"content": "hi"}), "messages[0].role", '"user", "system", "ipython" or "assistant"', "nothing"),
        (messages({"role": "bot"}), "messages[0].role", '"user", "system", "ipython" or "assistant"', '"bot"'),
        (messages({"role": ["user"]}), "messages[0].role", '"user", "system", "ipython" or "assistant"', "an array"),
        (messages({"role": "user"}), "messages[0].content", CONTENT, "nothing"),
        (messages({"role": "user", "content": 5}), "messages[0].content", CONTENT, "5"),
        (messages({"role": "user", "content": {"url": "x"}}), "messages[0].content.mime_type", "a string", "nothing"),
        (messages({"role": "user", "content": IMAGE | {"url": 5}}), "messages[0].content.url", "a string", "5"),
        (
            messages({"role": "user", "content": "a"}, {"role": "user", "content": ["a", {"url": {"uri": 1}}]}),
            "messages[1].content[1].url.uri",
            "a string",
            "1",
        ),
        (
            messages({"role": "user", "content": [["a"]]}),
            "messages[0].content[0]",
            "a string or an object (Attachment)",
            "an array",
        ),
        (
            messages({"role": "user", "content": "a", "name": "b"}),
            "messages[0].name",
            "one of the members role, content",
            "an unknown member",
        ),
        (
            messages(assistant(stop_reason="stop")),
            "messages[0].stop_reason",
            '"end_of_turn", "end_of_message" or "out_of_tokens"',
            '"stop"',
        ),
        (messages(assistant(tool_calls=[{}])), "messages[0].tool_calls[0].call_id", "a string", "nothing"),
        (chat(sampling_params=GREEDY | {"top_k": 1.5}), "sampling_params.top_k", INT32, "1.5"),
        (chat(sampling_params=GREEDY | {"top_k": True}), "sampling_params.top_k", INT32, "true"),
        (chat(sampling_params=GREEDY | {"top_k": 2**31}), "sampling_params.top_k", INT32, "2147483648"),
        (chat(sampling_params=GREEDY | {"seed": 2**63}), "sampling_params.seed", INT64, "9223372036854775808"),
        (chat(sampling_params=GREEDY | {"top_p": "much"}), "sampling_params.top_p", "a number", '"much"'),
        (chat(sampling_params=GREEDY | {"top_p": True}), "sampling_params.top_p", "a number", "true"),
        (chat(sampling_params=GREEDY | {"stop": ["a", None]}), "sampling_params.stop[1]", "a string", "null"),
        (
            chat(sampling_params={"strategy": "unspecified"}),
            "sampling_params.strategy",
            '"greedy", "top_p" or "top_k"',
            '"unspecified"',
        ),
        (chat(quantization_config={}), "quantization_config.type", '"bf16", "fp8" or "int8"', "nothing"),
        (
            chat(available_tools=[{"tool_name": "f", "parameters": {"a b": {"param_type": 1}}}]),
            'available_tools[0].parameters["a b"].param_type',
            "a string",
            "1",
        ),
        (
            chat(available_tools=[{"tool_name": "f", "parameters": []}]),
            "available_tools[0].parameters",
            "an object",
            "an array",
        ),
        (chat(available_tools=[{"tool_name": 1}]), "available_tools[0].tool_name", TOOLS, "1"),
        (chat(guidance={"regex": "a", "grammar": "b"}), "guidance.grammar", "nothing beside regex", "both"),
        (chat(guidance={"json_object": 1}), "guidance.json_object", "true or false", "1"),
        (chat(guidance={"json_schema": [1]}), "guidance.json_schema", "an object", "an array"),
    ],
)
def test_an_error_names_the_path_and_what_was_expected_and_found(
    value: object, path: str, expected: str, found: str
) -> None:
    error = caught(CHAT, value)
    assert (error.path, error.expected, error.found) == (path, expected, found)
    assert str(error) == f"{path}{': ' if path else ''}expected {expected}, found {found}"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Figure", {"kind": "circle", "radius": "r"}, 'radius: expected a number, found "r"'),
        ("Figure", {"kind": "circle"}, "radius: expected a number, found nothing"),
        (
            "Figure",
            {"kind": "circle", "side": 1},
            "side: expected one of the members kind, radius, found an unknown member",
        ),
        ("Amount", {"weight": "w"}, 'weight: expected a number, found "w"'),
        ("Amount", {"box": "b"}, "count: expected an integer, found nothing"),
        ("Amount", {}, "weight: expected a number, found nothing"),
        ("Prompt", [1, "a"], f'[1]: expected {INT32}, found "a"'),
        ("Prompt", {}, "expected a string or an array, found an object"),
        ("Prompt", [True], "expected a string or an array, found an array"),
        ("Maps", {"int32s": {"x": 1}}, f'int32s["x"]: expected {INT32}, found "x"'),
        ("Maps", {"int32s": {"1": None}}, f'int32s["1"]: expected {INT32}, found null'),
        ("Maps", {"bools": {"1": "a"}}, 'bools["1"]: expected "true" or "false", found "1"'),
        ("Maps", {"uint32s": {"-1": True}}, 'uint32s["-1"]: expected an integer from 0 to 4294967295, found "-1"'),
        ("Maps", {"sint32s": {"1": {"bool_value": 0}}}, 'sint32s["1"].bool_value: expected true or false, found 0'),
        ("Maps", {"strings": {'"\n': 1}}, 'strings["\\"\\n"]: expected a string, found 1'),
        ("Optionals", {"name": "a", "number": 1}, "number: expected nothing beside name, found both"),
        ("Optionals", {"empty": {"a": 1}}, "empty.a: expected no members, found an unknown member"),
        ("Optionals", {"bytes_value": "a"}, 'bytes_value: expected a base64 string, found "a"'),
        ("Optionals", {"string_wrapper": {"value": "a"}}, "string_wrapper: expected a string, found an object"),
        ("Repeateds", {"timestamps": [None]}, f"timestamps[0]: expected {TIME}, found null"),
        ("Repeateds", {"colors": ["red", "pink"]}, f'colors[1]: expected {COLORS}, found "pink"'),
    ],
)
def test_an_error_inside_a_variant_a_map_or_a_oneof_is_told_itself(name: str, value: object, message: str) -> None:
    assert str(caught(name, value)) == message


def test_an_absent_oneof_member_and_a_null_one_do_not_count() -> None:
    CODEC.decoder(shape("Optionals"))(b'{"name":"a","number":null}')


def test_unknown_members_are_passed_over_when_so_set() -> None:
    lenient = Codec(POOL, CodecSettings(ignore_unknown_fields=True))
    assert lenient.decoder(shape("Options"))(b'{"agent_id":"a","what":{"is":1}}') == b"\x0a\x01a"
    assert str(caught("Options", {"what": 1}, lenient)) == "agent_id: expected a string, found nothing"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"", "Input is a zero-length, empty document: line 1 column 1 (char 0)"),
        (b'{"a":1,}', "trailing comma"),
        (b"{'a':1}", "unexpected character"),
        (b'{"a":NaN}', "unexpected character"),
        (b'{"a":01}', "leading zero"),
        (b'"\xff"', "not valid UTF-8"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\ud800\\ud800"', "surrogate"),
        (b'"a\nb"', "control character"),
        (b"1e400", "beyond the range of a double"),
        (b"{} {}", "unexpected content after document"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
    ],
)
def test_text_that_is_no_json_is_refused_with_the_position(text: bytes, found: str) -> None:
    with pytest.raises(DecodeError) as info:
        parse(text)
    assert (info.value.path, info.value.expected) == ("", "a JSON document")
    assert found in info.value.found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":{"b":[0,{"c":1,"d":2,"c":3}]}}', "a.b[1].c"),
        (b'{"a":1, "b":{}, "b" :2}', "b"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"x":"\\u003a","a:":1,"a\\u003a":1}', '["a:"]'),
        (b'[{"x":":::","a":[],"a":[]}]', "[0].a"),
        (b'{"a":":","a":1}', "a"),
    ],
)
def test_a_member_that_occurs_twice_is_refused_by_name(text: bytes, path: str) -> None:
    with pytest.raises(DecodeError) as info:
        parse(text)
    assert (info.value.path, str(info.value)) == (path, f"{path}: expected one member of this name, found two")


def test_colons_in_strings_and_equal_names_in_different_objects_are_no_repetition() -> None:
    value = {"a": {"a": "a:a", "b": ['":', "\\:"]}, ":": [{"a": 1}, {"a": 1}]}
    for text in (
        json.dumps(value),
        json.dumps(value).replace(":", " : "),
        json.dumps(value).replace("a:a", "a\\u003aa"),
    ):
        assert parse(text.encode()) == json.loads(text)


def test_integers_of_any_size_are_read_exactly_up_to_4300_digits() -> None:
    text = b"[18446744073709551615,18446744073709551616,-9223372036854775809,1e22,%s]" % (b"7" * 4300)
    assert parse(text) == [2**64 - 1, 2**64, -(2**63) - 1, 1e22, int("7" * 4300)]
    with pytest.raises(DecodeError, match=r"an integer of more than 4300 digits$"):
        parse(b"7" * 4301)


@pytest.mark.parametrize(
    "rest", [b"NaN", b"-Infinity", b'"\\ud800"', b'{"\\udc00":1}', b'"\xff"', b'"\xed\xa0\x80"', b"1e400", b"01"]
)
def test_text_that_only_the_exact_parser_reads_is_held_to_the_same_rules(rest: bytes) -> None:
    with pytest.raises(DecodeError) as info:
        parse(b"[%s,%s]" % (b"7" * 400, rest))
    assert (info.value.path, info.value.expected) == ("", "a JSON document")
    info.value.found.encode()


def test_a_repetition_in_a_deep_text_is_refused_all_the_same() -> None:
    for levels in (100, 700, 900, 2000):
        with pytest.raises(DecodeError):
            parse(b"[%s,%s]" % (b"7" * 400, b"[" * levels + b'{"a":1,"a":1}' + b"]" * levels))


def test_an_integer_beyond_its_field_is_refused_with_all_its_digits() -> None:
    error = caught(CHAT, chat(sampling_params=GREEDY | {"seed": 10**30}))
    assert (error.path, error.found) == ("sampling_params.seed", "1" + "0" * 30)


def nested(levels: int, inner: object) -> object:
    """Return a value inside so many arrays."""
    for _ in range(levels):
        inner = [inner]
    return inner


def test_free_json_is_read_as_deep_as_protobuf_reads_it_and_no_deeper() -> None:
    decode = CODEC.value_decoder("llamastack.common.v1.JsonValue")
    make = POOL.FindMessageTypeByName("llamastack.common.v1.JsonValue")
    deepest = decode(nested(50, None))
    assert GetMessageClass(make).FromString(deepest).SerializeToString() == deepest
    with pytest.raises(DecodeError) as info:
        decode(nested(51, None))
    assert str(info.value) == f"{'[0]' * 50}: expected at most 100 levels of messages, found more"


@pytest.mark.parametrize("levels", [255, 300, 1000, 1024, 5000, 100_000])
def test_text_nested_too_deeply_is_refused(levels: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        with pytest.raises(DecodeError):
            parse(opening * levels + b"1" + closing * levels)


def test_a_value_that_holds_lone_surrogates_is_refused() -> None:
    with pytest.raises(DecodeError) as info:
        CODEC.value_decoder(shape("Scalars"))({"string_value": "\ud800"})
    assert info.value.path == "string_value"
    assert info.value.expected == "a string of Unicode characters without lone surrogates"
