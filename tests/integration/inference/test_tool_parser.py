"""Calls read by vLLM's own tool parsers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mesh.json_text import Loose
from services.inference.prompt.stream_decoder import Decoded, End, Piece, StreamDecoder, outcome, started
from services.inference.prompt.tool_parser import ToolParsers
from tests.unit.inference.prompt.messages import END_OF_TURN, call, ids_from, tokenizer_json

pytest.importorskip("vllm", reason="this machine has no build of vLLM")
# What vLLM imports uses what torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
SPECIAL = ("<|eot_id|>",)
Streams = Callable[[str], StreamDecoder]


@pytest.fixture(name="stream_of", scope="module")
def _stream_of() -> Streams:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    # transformers leaves its constructors untyped.
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(tokenizer_json())
    )
    return lambda name: ToolParsers(name, tokenizer, SPECIAL, ids_from())(TOOLS)


def run(stream: StreamDecoder, texts: Sequence[str]) -> tuple[list[Piece], End]:
    pieces = [piece for text in texts for piece in stream.push(text, [0])]
    end = stream.finish(END_OF_TURN)
    return [*pieces, *end.pieces], end


@pytest.mark.parametrize(
    ("parser", "output", "arguments"),
    [
        (
            "hermes",
            '<tool_call>{"name": "f", "arguments": {"a": 9007199254740993}}</tool_call>',
            {"a": 9007199254740993},
        ),
        ("llama3_json", '{"name": "f", "parameters": {"a": [1, "x"]}}', {"a": [1, "x"]}),
        ("pythonic", '[f(a="x")]', {"a": "x"}),
    ],
)
def test_a_call_of_another_family_is_read(
    stream_of: Streams, parser: str, output: str, arguments: dict[str, Loose]
) -> None:
    pieces, end = run(stream_of(parser), list(output))
    wanted = call("f", arguments)
    assert end.decoded == Decoded("", (wanted,), END_OF_TURN)
    assert [pieces[0], pieces[-1]] == [started(), *outcome([wanted])]
    assert not [piece for piece in pieces if isinstance(piece, str)]


@pytest.mark.parametrize("parser", ["hermes", "llama3_json"])
def test_text_without_a_call_is_shown_whole_and_without_special_tokens(stream_of: Streams, parser: str) -> None:
    pieces, end = run(stream_of(parser), ["Hello", " <", "|eot_id|", ">wor", "ld <tool"])
    assert "".join(str(piece) for piece in pieces) == "Hello world <tool"
    assert end.decoded == Decoded("Hello world <tool", (), END_OF_TURN)


def test_a_call_that_is_cut_off_fails(stream_of: Streams) -> None:
    output = '<tool_call>{"name": "f", "arguments": {"a"'
    pieces, end = run(stream_of("hermes"), list(output))
    assert end.decoded == Decoded(output, (), END_OF_TURN, failed=True)
    assert [pieces[0], pieces[-1]] == [started(), *outcome([])]


def test_an_unknown_parser_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="no_such_parser"):
        ToolParsers("no_such_parser", None, (), ids_from())
