"""The answers of operations that went well."""

from __future__ import annotations

from llamastack.json.v1 import json_pb2

from gateway.codec.plan import plan_of
from gateway.contract import HttpRule, Rpc
from gateway.openapi.messages import Messages
from gateway.openapi.schema import Schema, View

JSON, JSON_LINES, EVENTS = "application/json", "application/jsonl", "text/event-stream"
NEXT_PAGE: Schema = {
    "x-next-page-token": {
        "description": "The page_token of the next page; absent on the last one.",
        "schema": {"type": "string"},
    }
}


def answer(rpc: Rpc, rule: HttpRule, twin: Rpc | None, messages: Messages) -> Schema:
    """Return the response object for status 200: each way in which the values may be laid out."""
    schema = _schema(rpc, rule, messages)
    content: dict[str, Schema] = {}
    lines = rpc.json.format == json_pb2.MethodJson.FORMAT_JSON_LINES
    if lines:
        item = schema["items"] if schema.get("type") == "array" else schema
        content[JSON_LINES] = {"schema": item}
        content[JSON] = {"schema": {"type": "array", "items": item}}
    elif rpc.streams:
        content[EVENTS] = {"schema": schema}
    else:
        content[JSON] = {"schema": schema}
    if twin is not None:
        content[EVENTS] = {"schema": messages.message(twin.output, View.RESPONSE)}
    response: Schema = {"description": _description(content), "content": content}
    if "next_page_token" in rpc.output.fields_by_name and rule.response_body:
        response["headers"] = NEXT_PAGE
    return response


def _schema(rpc: Rpc, rule: HttpRule, messages: Messages) -> Schema:
    """Return the schema of one value: of the whole message or of the field that stands for it."""
    if not rule.response_body:
        return messages.message(rpc.output, View.RESPONSE)
    field = next(field for field in plan_of(rpc.output).fields if field.name == rule.response_body)
    return messages.value(field, View.RESPONSE)


def _description(content: dict[str, Schema]) -> str:
    """Return what the media types mean."""
    notes = ["The answer."]
    if JSON_LINES in content:
        notes.append("One JSON value a line, as the schema says; an array where only application/json is accepted.")
    if EVENTS in content:
        notes.append("In an event stream the data of each event is as the schema says.")
    return " ".join(notes)
