"""Requests of ``llamastack.inference.v1`` in the words of ``llamastack.openai.v1``, for servers that know those alone.

What OpenAI's API can't say is refused, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llamastack.common.v1.content_pb2 import Content, ContentPart
from llamastack.common.v1.message_pb2 import CompletionMessage, Message
from llamastack.common.v1.sampling_pb2 import SamplingParams
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.inference.v1 import inference_pb2 as pb
from llamastack.openai.v1 import chat_message_pb2, chat_pb2, chat_tool_pb2, completion_pb2, usage_pb2
from mesh.errors import InvalidField, NotSupported, WrongState
from mesh.json_text import value_of, write
from services.inference.completion import text_of as plain_text
from services.inference.prompt.segments import is_image, parts_of
from services.inference.prompt.tool_names import text_of
from services.inference.prompt.tool_schema import arguments_schema, demands_call
from services.inference.sampling import engine_sampling


def chat_request(request: pb.ChatCompletionRequest) -> chat_pb2.ChatCompletionRequest:
    """Return a chat completion.

    Raises:
        NotSupported: the output is restricted by an expression or a grammar.
        InvalidField: a message holds a file other than an image.
        WrongState: the weights have to be in a certain form, which nobody here can tell.
    """
    _check_quantization(request)
    made = chat_pb2.ChatCompletionRequest(
        messages=_messages(request.messages),
        tools=[_tool(tool) for tool in request.available_tools],
        tool_choice=_tool_choice(request),
        response_format=_response_format(request.guidance),
        prompt_cache_key=request.session_id or None,
        **_sampling(request.sampling_params),
    )
    if request.HasField("logprobs"):
        made.logprobs, made.top_logprobs = True, request.logprobs.top_k
    return made


def completion_request(request: pb.CompletionRequest) -> completion_pb2.CompletionRequest:
    """Return a completion; the errors are those of :func:`chat_request`."""
    _check_quantization(request)
    if request.HasField("guidance") or request.HasField("prompt_logprobs"):
        raise NotSupported("guidance and prompt_logprobs of completions are not part of OpenAI's API")
    made = completion_pb2.CompletionRequest(
        prompt=_prompt(request), user=request.session_id or None, **_sampling(request.sampling_params)
    )
    if not made.HasField("max_tokens"):
        raise InvalidField("sampling_params.max_tokens", "a number above 0: OpenAI's API has no other end for a text")
    if request.HasField("logprobs"):
        made.logprobs = request.logprobs.top_k
    return made


def _check_quantization(request: pb.ChatCompletionRequest | pb.CompletionRequest) -> None:
    if request.HasField("quantization_config"):
        raise WrongState(f"in what form model {request.model} is loaded where it is served is not known")


def _sampling(params: SamplingParams) -> dict[str, Any]:
    """Return the settings by name; those that OpenAI's API lacks are there only if they do something."""
    wanted = engine_sampling(params)
    made: dict[str, Any] = {"temperature": wanted.temperature}
    if wanted.top_p != 1.0:
        made["top_p"] = wanted.top_p
    if wanted.top_k:
        made["top_k"] = wanted.top_k
    if wanted.repetition_penalty != 1.0:
        made["repetition_penalty"] = wanted.repetition_penalty
    if wanted.max_tokens is not None:
        made["max_tokens"] = wanted.max_tokens
    if wanted.seed is not None:
        made["seed"] = wanted.seed
    if wanted.stop:
        made["stop"] = usage_pb2.Stop(texts=usage_pb2.StopList(values=wanted.stop))
    return made


def _prompt(request: pb.CompletionRequest) -> usage_pb2.TextInput:
    if request.HasField("prompt_token_ids"):
        return usage_pb2.TextInput(tokens=usage_pb2.TokenIds(ids=request.prompt_token_ids.ids))
    return usage_pb2.TextInput(text=plain_text(request.content, "content"))


def _response_format(guidance: pb.Guidance) -> chat_pb2.ResponseFormat | None:
    match guidance.WhichOneof("guidance"):
        case None:
            return None
        case "json_object":
            return chat_pb2.ResponseFormat(json_object=chat_pb2.ResponseFormatJsonObject())
        case "json_schema":
            schema = chat_tool_pb2.JsonSchemaFormat(name="answer", schema=guidance.json_schema, strict=True)
            return chat_pb2.ResponseFormat(json_schema=chat_pb2.ResponseFormatJsonSchema(json_schema=schema))
        case kind:
            raise NotSupported(f"guidance by {kind} is not part of OpenAI's API")


def _messages(messages: Sequence[Message]) -> list[chat_message_pb2.ChatMessage]:
    """Return the conversation; calls without an id get one, and the results that follow them in order too."""
    made: list[chat_message_pb2.ChatMessage] = []
    unanswered: list[str] = []
    for position, message in enumerate(messages):
        path = f"messages[{position}].content"
        match message.WhichOneof("message"):
            case "system":
                content = _content(message.system.content, path)
                made.append(chat_message_pb2.ChatMessage(system=chat_message_pb2.SystemMessage(content=content)))
            case "tool_response":
                answer = message.tool_response
                call_id = answer.call_id or (unanswered[0] if unanswered else "")
                unanswered = [known for known in unanswered if known != call_id]
                content = chat_message_pb2.ChatContent(text=_result(answer.content))
                tool = chat_message_pb2.ToolMessage(content=content, tool_call_id=call_id)
                made.append(chat_message_pb2.ChatMessage(tool=tool))
            case "completion":
                assistant = _assistant(message.completion, position, path)
                unanswered = [call.id for call in assistant.tool_calls]
                made.append(chat_message_pb2.ChatMessage(assistant=assistant))
            case _:
                content = _content(message.user.content, path)
                made.append(chat_message_pb2.ChatMessage(user=chat_message_pb2.UserMessage(content=content)))
    return made


def _assistant(message: CompletionMessage, position: int, path: str) -> chat_message_pb2.AssistantMessage:
    calls = [
        chat_tool_pb2.ChatToolCall(
            id=call.call_id or f"call_{position}_{index}",
            function=chat_tool_pb2.ChatFunctionCall(
                name=text_of(call.tool_name),
                arguments=write(JsonValue(object_value=JsonObject(fields=call.arguments))),
            ),
        )
        for index, call in enumerate(message.tool_calls)
    ]
    content = _content(message.content, path)
    silent = bool(calls) and not content.text and not content.HasField("parts")
    return chat_message_pb2.AssistantMessage(content=None if silent else content, tool_calls=calls)


def _content(content: Content, path: str) -> chat_message_pb2.ChatContent:
    parts = parts_of(content)
    if not any(part.WhichOneof("part") == "attachment" for part in parts):
        return chat_message_pb2.ChatContent(text="".join(part.text for part in parts))
    made = [_part(part, path) for part in parts]
    return chat_message_pb2.ChatContent(parts=chat_message_pb2.ChatContentParts(parts=made))


def _part(part: ContentPart, path: str) -> chat_message_pb2.ChatContentPart:
    if part.WhichOneof("part") != "attachment":
        return chat_message_pb2.ChatContentPart(text=chat_message_pb2.TextPart(text=part.text))
    if not is_image(part.attachment):
        raise InvalidField(path, f"must hold texts and images only, not a file of type {part.attachment.mime_type}")
    image = chat_message_pb2.ImageUrl(url=part.attachment.url.uri)
    return chat_message_pb2.ChatContentPart(image=chat_message_pb2.ImagePart(image_url=image))


def _result(content: Content) -> str:
    """Return what a tool gave back as text; a file is named, because the caller did not choose it."""
    return "".join(
        f"[{part.attachment.mime_type}]" if part.WhichOneof("part") == "attachment" else part.text
        for part in parts_of(content)
    )


def _tool_choice(request: pb.ChatCompletionRequest) -> chat_tool_pb2.ToolChoice | None:
    if not demands_call(request):
        return None
    return chat_tool_pb2.ToolChoice(mode=chat_tool_pb2.TOOL_CHOICE_MODE_REQUIRED)


def _tool(tool: ToolDefinition) -> chat_tool_pb2.ChatTool:
    return chat_tool_pb2.ChatTool(
        function=chat_tool_pb2.FunctionDefinition(
            name=text_of(tool.tool_name),
            description=tool.description if tool.HasField("description") else None,
            parameters=value_of(arguments_schema(tool)).object_value,
        )
    )
