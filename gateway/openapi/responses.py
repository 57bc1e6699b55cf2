"""The answers of operations that went well."""

from __future__ import annotations

from gateway.codec.plan import plan_of
from gateway.contract import HttpRule, Rpc
from gateway.openapi.errors import ERROR, OPENAI_ERROR
from gateway.openapi.messages import Messages
from gateway.openapi.schema import Schema, View, reference
from llamastack.json.v1 import json_pb2

JSON, JSON_LINES, EVENTS = "application/json", "application/jsonl", "text/event-stream"
ANYTHING, HTTP_BODY = "*/*", "google.api.HttpBody"
NEXT_PAGE: Schema = {
    "x-next-page-token": {
        "description": "The page_token of the next page; absent on the last one.",
        "schema": {"type": "string"},
    }
}


def answer(rpc: Rpc, rule: HttpRule, twin: Rpc | None, messages: Messages) -> Schema:
    """Return the response object for status 200: each way in which the values may be laid out."""
    content: dict[str, Schema]
    if rpc.output.full_name == HTTP_BODY:
        content = {ANYTHING: {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}}
        return {"description": "The bytes, as the media type that they are.", "content": content}
    schema = _schema(rpc, rule, messages)
    content = {}
    lines = rpc.json.format == json_pb2.MethodJson.FORMAT_JSON_LINES
    if lines:
        item = schema["items"] if schema.get("type") == "array" else schema
        content[JSON_LINES] = {"schema": item}
        content[JSON] = {"schema": {"type": "array", "items": item}}
    elif rpc.streams:
        content[EVENTS] = {"schema": _event(schema, rpc)}
    else:
        content[JSON] = {"schema": schema}
    if twin is not None and (rule.body or rpc.json.stream_on_accept):
        content[EVENTS] = {"schema": _event(messages.message(twin.output, View.RESPONSE), twin)}
    response: Schema = {"description": _description(content), "content": content}
    if "next_page_token" in rpc.output.fields_by_name and rule.response_body:
        response["headers"] = NEXT_PAGE
    return response


def event_payload(schema: Schema) -> Schema:
    """Return the schema of the data of an event, as `answer` has it in the schema of an event."""
    data = schema["properties"]["data"]
    payload: Schema = data.get("anyOf", [data])[0]["contentSchema"]["anyOf"][0]
    return payload


def _event(schema: Schema, rpc: Rpc) -> Schema:
    """Return the schema of one event, as OpenAPI 3.2 lays down for media types that are sequences."""
    payload = {"anyOf": [schema, reference(OPENAI_ERROR if rpc.openai_errors else ERROR)]}
    data: Schema = {"type": "string", "contentMediaType": JSON, "contentSchema": payload}
    if rpc.json.sse_terminator:
        data = {"anyOf": [data, {"const": rpc.json.sse_terminator}]}
    members: Schema = {"data": data}
    if rpc.json.event_id_field:
        members["id"] = {"type": "string", "pattern": "^[0-9]+$"}
    return {"type": "object", "properties": members, "required": ["data"]}


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
        notes.append("In an event stream the data of each event is JSON; that of a last one may be an error.")
    return " ".join(notes)
