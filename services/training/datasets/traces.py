"""Rows out of logged model calls, as OpenTelemetry's conventions for generative AI describe them.

A span is a model call if it has ``gen_ai.input.messages`` and ``gen_ai.output.messages``: lists (or their JSON) of
messages ``{role, parts}`` with parts of type text, tool_call and tool_call_response, or of messages in the RFC's form.
``gen_ai.system_instructions`` is a list of parts or a text. Of several answers the first counts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.datasets.v1 import dataset_requests_pb2 as pb
from llamastack.observability.v1 import trace_pb2
from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceStub
from mesh.errors import from_rpc
from mesh.json_text import loose_of
from services.training.datasets.columns import fitted
from services.training.revisions import ColumnType

if TYPE_CHECKING:
    from llamastack.observability.v1.observability_service_pb2_grpc import ObservabilityServiceAsyncStub

_PAGE: Final = 100
_MODELS: Final = ("gen_ai.response.model", "gen_ai.request.model")


class LoggedCalls:
    """Reads spans from the observability service, as whoever calls this one."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Keep the channel."""
        self._stub: ObservabilityServiceAsyncStub = ObservabilityServiceStub(channel)

    async def rows(self, source: pb.TraceSource) -> AsyncGenerator[list[tuple[float, dict[str, Any]]]]:
        """Yield the rows of one page of spans after the other; calls that failed or can't be read are left out.

        Raises:
            MeshError: what the service answers with; BackendUnavailable when it can't be reached.
        """
        request = trace_pb2.SearchSpansRequest(page_size=_PAGE, filters=source.attributes)
        if source.HasField("started_after"):
            request.after.CopyFrom(source.started_after)
        if source.HasField("started_before"):
            request.before.CopyFrom(source.started_before)
        try:
            for run_id in dict.fromkeys(source.run_ids) or (None,):
                request.page_token = ""
                if run_id is not None:
                    request.run_id = run_id
                while True:
                    page = await self._stub.SearchSpans(request)
                    if rows := [row for span in page.spans if (row := row_of(span, source)) is not None]:
                        yield rows
                    if not page.next_page_token:
                        break
                    request.page_token = page.next_page_token
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error


def row_of(span: trace_pb2.Span, source: pb.TraceSource) -> tuple[float, dict[str, Any]] | None:
    """Return the row of a span with the time at which it began, None if it is not a call that is wanted."""
    attributes = span.attributes
    models = {attributes[name].string_value for name in _MODELS if name in attributes}
    if span.status == trace_pb2.SPAN_STATUS_ERROR or (source.models and not models & set(source.models)):
        return None
    said = _list(attributes, "gen_ai.output.messages")
    heard = _list(attributes, "gen_ai.input.messages")
    if not said or not heard:
        return None
    try:
        instructions = _instructions(attributes)
        head = [{"role": "system", "content": instructions}] if instructions else []
        messages = [message for item in (*heard, said[0]) for message in _messages(item)]
        dialog = fitted(head + messages, ColumnType.DIALOG)
    except (ValueError, KeyError, TypeError):
        return None
    if dialog[-1]["role"] != "assistant":
        return None
    return span.started_at.ToNanoseconds() / 1e9, {"dialog": dialog, "trace_id": span.trace_id}


def _list(attributes: Any, name: str) -> list[Any]:
    found = _value(attributes[name]) if name in attributes else None
    return found if isinstance(found, list) else []


def _value(value: JsonValue) -> Any:
    """Return a value; a string is JSON if it can be."""
    loose = loose_of(value)
    if isinstance(loose, str):
        try:
            return json.loads(loose)
        except (ValueError, RecursionError):
            return loose
    return loose


def _instructions(attributes: Any) -> str:
    found = _value(attributes["gen_ai.system_instructions"]) if "gen_ai.system_instructions" in attributes else None
    if isinstance(found, list):
        return "".join(part["content"] for part in found if isinstance(part, dict) and part.get("type") == "text")
    return found if isinstance(found, str) else ""


def _messages(item: Any) -> list[dict[str, Any]]:
    """Return a logged message in the RFC's form; one with several tool results becomes several.

    Raises:
        KeyError, TypeError: it is in no known form.
    """
    if "parts" not in item:
        return [item]
    parts = item["parts"]
    results = [part for part in parts if part["type"] == "tool_call_response"]
    if results:
        return [
            {
                "role": "ipython",
                "call_id": part.get("id") or "",
                "content": _said(part.get("response")),
            }
            for part in results
        ]
    text = "".join(part["content"] for part in parts if part["type"] == "text")
    if item["role"] != "assistant":
        return [{"role": item["role"], "content": text}]
    calls = [
        {"call_id": part.get("id") or "", "tool_name": part["name"], "arguments": _arguments(part.get("arguments"))}
        for part in parts
        if part["type"] == "tool_call"
    ]
    return [{"role": "assistant", "content": text, "stop_reason": "end_of_turn", "tool_calls": calls}]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _arguments(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise TypeError("arguments are an object")
    return found
