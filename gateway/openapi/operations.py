"""Paths and operations, one operation for each google.api.http binding of each RPC."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.bind import WHOLE
from gateway.codec.plan import plan_of
from gateway.contract import HttpRule, Rpc
from gateway.openapi.comments import Comments
from gateway.openapi.errors import error_responses
from gateway.openapi.fields import is_needed
from gateway.openapi.messages import Messages
from gateway.openapi.parameters import is_nested, path_parameters, query_parameters
from gateway.openapi.responses import answer
from gateway.openapi.schema import Schema, View, any_of, described, nullable
from gateway.template import compile_template

STREAM: Schema = {
    "type": ["boolean", "null"],
    "description": "Whether the answer comes as server-sent events while it is made; default false.",
}


class Operations:
    """Makes the operations of RPCs.

    Args:
        messages: makes the schemas and collects them.
        comments: what becomes the descriptions.
        secured: whether callers have to say who they are.
    """

    def __init__(self, messages: Messages, comments: Comments, *, secured: bool) -> None:
        self._messages = messages
        self._comments = comments
        self._secured = secured

    def of(self, rpc: Rpc, twin: Rpc | None) -> Iterator[tuple[str, str, Schema]]:
        """Yield path, verb in lower case and operation of each binding of an RPC.

        Args:
            twin: the streaming RPC that serves the same paths, if there is one.
        """
        places = [(rule.verb, openapi_path(rule.template)) for rule in rpc.rules]
        for number, rule in enumerate(rpc.rules):
            if places.index(places[number]) < number:
                continue  # OpenAPI has no patterns of variables, in which alone these two bindings differ
            operation = self._operation(rpc, rule, twin)
            operation["operationId"] = operation_id(rpc) + (f"_{number + 1}" if number else "")
            if number:
                first = rpc.rules[0]
                operation["x-same-as"] = f"{first.verb} {openapi_path(first.template)}"
            yield openapi_path(rule.template), rule.verb.lower(), operation

    def _operation(self, rpc: Rpc, rule: HttpRule, twin: Rpc | None) -> Schema:
        variables = [variable.field for variable in compile_template(rule.template).variables]
        rest = [field for field in plan_of(rpc.input).fields if field.name not in (*variables, rule.body)]
        summary, description = _texts(rpc, self._comments)
        operation: Schema = {"tags": [tag(rpc.service)], "summary": summary, "description": description}
        parameters = path_parameters(rpc.input, variables, self._messages, self._comments)
        if rule.body == "":
            parameters += query_parameters(rest, self._messages, self._comments)
        elif rule.body != WHOLE:
            flat = [field for field in rest if not is_nested(field)]
            parameters += query_parameters(flat, self._messages, self._comments)
        if parameters:
            operation["parameters"] = parameters
        if rule.body == WHOLE:
            operation["requestBody"] = self._whole_body(rpc, variables, twin)
        elif rule.body:
            members = {field.name: self._messages.member(field, View.REQUEST) for field in rest if is_nested(field)}
            operation["requestBody"] = self._field_body(rpc, rule.body, members | _stream_member(rpc, twin))
        operation["responses"] = {"200": answer(rpc, rule, twin, self._messages)} | error_responses(rpc.openai_errors)
        if self._secured:
            operation["security"] = [{"token": [rpc.scope]}, {"key": [rpc.scope]}]
        return operation

    def _whole_body(self, rpc: Rpc, variables: list[str], twin: Rpc | None) -> Schema:
        """Return the body that holds every field but those of the path."""
        extra = _stream_member(rpc, twin)
        if variables:
            schema = self._messages.object(rpc.input, View.REQUEST, without=variables, extra=extra)
        else:
            schema = self._messages.message(rpc.input, View.REQUEST, extra)
        needed = any(is_needed(field) for field in plan_of(rpc.input).fields if field.name not in variables)
        return {"required": needed, "content": {"application/json": {"schema": schema}}}

    def _field_body(self, rpc: Rpc, name: str, others: dict[str, Schema]) -> Schema:
        """Return the body that is the value of one field; a list may also stand in an object.

        Args:
            others: members that no query can hold; they stand beside the list in that object.
        """
        field = next(field for field in plan_of(rpc.input).fields if field.name == name)
        schema, needed = self._messages.value(field, View.REQUEST), is_needed(field)
        if field.repeated and not field.is_map:
            members = {name: self._messages.member(field, View.REQUEST)} | others
            wrapped = {"type": "object", "additionalProperties": False, "properties": members}
            schema = any_of([schema, wrapped | ({"required": [name]} if needed else {})])
        if not needed:
            schema = nullable(schema)
        body = {"required": needed, "content": {"application/json": {"schema": schema}}}
        return described(body, self._comments.of(field.descriptor))


def _stream_member(rpc: Rpc, twin: Rpc | None) -> dict[str, Schema]:
    """Return the member by which a body asks for a stream; none where there is no stream, or the message has it."""
    return {"stream": STREAM} if twin is not None and "stream" not in rpc.input.fields_by_name else {}


def tag(service: str) -> str:
    """Return the name of a service's group: "Inference" for llamastack.inference.v1.InferenceService."""
    return service.rpartition(".")[2].removesuffix("Service")


def operation_id(rpc: Rpc) -> str:
    """Return the id of an RPC's first operation, for example "Inference_ChatCompletion"."""
    return f"{tag(rpc.service)}_{rpc.method}"


def openapi_path(template: str) -> str:
    """Return a path template without the patterns of its variables."""
    return re.sub(r"\{([^}=]+)=[^}]*\}", r"{\1}", template)


def untitled(comment: str, name: str) -> str:
    """Return a comment without the name that it begins with: "Runs models." for "InferenceService runs models."."""
    text = comment.removeprefix(f"{name} ")
    return text[:1].upper() + text[1:]


def _texts(rpc: Rpc, comments: Comments) -> tuple[str, str]:
    """Return summary and description of an RPC: the first sentence, and all of its comment."""
    text = untitled(comments.at(f"{rpc.service}.{rpc.method}"), rpc.method)
    return re.split(r"(?<=[.:;])\s", text, maxsplit=1)[0].rstrip(".:;"), text
