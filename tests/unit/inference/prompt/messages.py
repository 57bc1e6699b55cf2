"""Messages, tools and a byte-level tokenizer with the Llama 3 special tokens, for the tests of the prompt formats."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from llamastack.common.v1.content_pb2 import Attachment, Content, ContentPart, ContentParts, Url
from llamastack.common.v1.message_pb2 import (
    CompletionMessage,
    Message,
    StopReason,
    SystemMessage,
    ToolResponseMessage,
    UserMessage,
)
from llamastack.common.v1.tool_pb2 import ToolCall, ToolDefinition, ToolName, ToolParamDefinition
from mesh.json_text import Loose, value_of
from services.inference.prompt import tokens
from services.inference.prompt.tool_names import name_of

END_OF_TURN = StopReason.STOP_REASON_END_OF_TURN
END_OF_MESSAGE = StopReason.STOP_REASON_END_OF_MESSAGE
OUT_OF_TOKENS = StopReason.STOP_REASON_OUT_OF_TOKENS


def tokenizer_json() -> str:
    """Return a tokenizer with a token per byte and the special tokens at their published ids."""
    letters = sorted(ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)} | dict(tokens.IDS)
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens.IDS])
    return str(tokenizer.to_str())


def ids_from(prefix: str = "call") -> Callable[[], str]:
    """Return a source of the ids call-0, call-1 and so on."""
    numbers = itertools.count()
    return lambda: f"{prefix}-{next(numbers)}"


def image(uri: str = "data:image/png;base64,AAAA", mime_type: str = "image/png") -> Attachment:
    return Attachment(url=Url(uri=uri), mime_type=mime_type)


def parts(*pieces: str | Attachment) -> Content:
    made = [ContentPart(text=piece) if isinstance(piece, str) else ContentPart(attachment=piece) for piece in pieces]
    return Content(parts=ContentParts(parts=made))


def _content(content: str | Content) -> Content:
    return Content(text=content) if isinstance(content, str) else content


def user(content: str | Content) -> Message:
    return Message(user=UserMessage(content=_content(content)))


def system(content: str | Content) -> Message:
    return Message(system=SystemMessage(content=_content(content)))


def ipython(content: str | Content, tool: str = "brave_search", call_id: str = "call-0") -> Message:
    answer = ToolResponseMessage(call_id=call_id, tool_name=name_of(tool), content=_content(content))
    return Message(tool_response=answer)


def assistant(content: str, *calls: ToolCall, stop: StopReason.ValueType = END_OF_TURN) -> Message:
    completion = CompletionMessage(content=Content(text=content), stop_reason=stop, tool_calls=calls)
    return Message(completion=completion)


def call(name: str, arguments: Mapping[str, Loose], call_id: str = "call-0") -> ToolCall:
    values = {key: value_of(value) for key, value in arguments.items()}
    return ToolCall(call_id=call_id, tool_name=name_of(name), arguments=values)


def builtin(name: str) -> ToolDefinition:
    return ToolDefinition(tool_name=name_of(name))


def weather_tool() -> ToolDefinition:
    return ToolDefinition(
        tool_name=ToolName(custom="get_weather"),
        description="Get the weather of a city.",
        parameters={
            "city": ToolParamDefinition(param_type="string", description="The city.", required=True),
            "days": ToolParamDefinition(param_type="int", required=False),
        },
    )
