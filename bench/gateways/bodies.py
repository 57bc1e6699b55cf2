"""The messages that the gateway's benchmark sends and gets, and their JSON as each gateway spells it.

A case is the same message everywhere: our gateway reads and writes the RFC's JSON, the others ProtoJSON, where a union
is an object with the variant's name and an enum has its full name.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from google.protobuf import json_format

from gateway.app import load_contract
from gateway.codec.codec import Codec
from llamastack.common.v1 import message_pb2, sampling_pb2
from llamastack.inference.v1 import inference_pb2 as pb

DELTAS = 200
SERVICE = "llamastack.inference.v1.InferenceService"
CHAT, STREAM = f"/{SERVICE}/ChatCompletion", f"/{SERVICE}/StreamChatCompletion"

_QUESTION = "What is the altiplano, and why is it so high above the sea? Answer in one sentence."
_ANSWER = "A plateau between two ranges of the Andes, lifted as one plate slid under another."
_REMARK = 'The lake\'s level follows the rain of the "wet" months, December to March, and little else does.'


@dataclass(frozen=True)
class Case:
    """A kind of request: its RPC and the JSON of its body in both spellings."""

    name: str
    rpc: str
    rfc_json: bytes
    proto_json: bytes


def cases() -> tuple[Case, ...]:
    """Return what is measured."""
    return (
        _case("unary 0.3 KB", CHAT, _request(1)),
        _case("unary 4 KB", CHAT, _request(16)),
        _case(f"SSE {DELTAS} deltas", STREAM, _request(1)),
    )


def answer(request: bytes) -> bytes:
    """Return a response, in wire format, of about the size of its request."""
    return _LARGE if len(request) > 1000 else _SMALL


def deltas() -> list[bytes]:
    """Return the messages of a stream in wire format."""
    return [_delta(f" word{index}").SerializeToString() for index in range(DELTAS)]


def _case(name: str, rpc: str, request: pb.ChatCompletionRequest) -> Case:
    codec = Codec(load_contract().pool)
    body = orjson.loads(codec.encoder(pb.ChatCompletionRequest.DESCRIPTOR)(request.SerializeToString()))
    if rpc == STREAM:
        body["stream"] = True
    plain = json_format.MessageToDict(request, preserving_proto_field_name=True)
    return Case(name, rpc, orjson.dumps(body), orjson.dumps(plain))


def _request(turns: int) -> pb.ChatCompletionRequest:
    request = pb.ChatCompletionRequest(model="llama-3.1-8b-instruct")
    for index in range(turns):
        request.messages.add().user.content.text = f"{index}. {_QUESTION}"
        if index < turns - 1:
            message = request.messages.add().completion
            message.content.text = f"{index}. {_ANSWER}"
            message.stop_reason = message_pb2.STOP_REASON_END_OF_TURN
    params = request.sampling_params
    params.strategy = sampling_pb2.SAMPLING_STRATEGY_TOP_P
    params.temperature, params.top_p, params.max_tokens = 0.7, 0.95, 512
    return request


def _response(sentences: int, tokens: int) -> pb.ChatCompletionResponse:
    response = pb.ChatCompletionResponse()
    message = response.completion_message
    message.content.text = " ".join([_REMARK] * sentences)
    message.stop_reason = message_pb2.STOP_REASON_END_OF_TURN
    for index in range(tokens):
        response.logprobs.add().logprobs_by_token[f" token{index}"] = -0.125 - index / 7
    response.usage.prompt_tokens, response.usage.completion_tokens = 25, 20 * sentences
    return response


def _delta(text: str) -> pb.ChatCompletionResponseStreamChunk:
    chunk = pb.ChatCompletionResponseStreamChunk()
    chunk.event.event_type = pb.CHAT_COMPLETION_RESPONSE_EVENT_TYPE_PROGRESS
    chunk.event.delta.text = text
    return chunk


_SMALL = _response(1, 0).SerializeToString()
_LARGE = _response(22, 32).SerializeToString()
