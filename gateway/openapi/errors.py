"""The schemas and responses of errors."""

from __future__ import annotations

import grpc

from gateway.openapi.schema import Schema, reference

ERROR, OPENAI_ERROR = "Error", "OpenAIError"
CODES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
STATUSES = {"4XX": "The request is at fault.", "5XX": "The server, or a service behind it, is at fault."}


def error_responses(openai: bool) -> dict[str, Schema]:
    """Return the references to the error responses of an operation, by status."""
    prefix = "OpenAI" if openai else ""
    return {
        status: {"$ref": f"#/components/responses/{prefix}{name}"}
        for status, name in (("4XX", "ClientError"), ("5XX", "ServerError"))
    }


def error_components(openai: bool) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return the schemas and the responses that `error_responses` refers to."""
    schemas = {ERROR: _error()} | ({OPENAI_ERROR: _openai_error()} if openai else {})
    responses = _responses("", ERROR) | (_responses("OpenAI", OPENAI_ERROR) if openai else {})
    return schemas, responses


def _responses(prefix: str, schema: str) -> dict[str, Schema]:
    retry: Schema = {"description": "Seconds to wait before trying again.", "schema": {"type": "integer", "minimum": 0}}
    content = {"application/json": {"schema": reference(schema)}}
    return {
        f"{prefix}{name}": {"description": STATUSES[status], "headers": {"retry-after": retry}, "content": content}
        for status, name in (("4XX", "ClientError"), ("5XX", "ServerError"))
    }


def _error() -> Schema:
    text: Schema = {"type": "string"}
    detail: Schema = {
        "type": "object",
        "description": "A google.rpc detail in ProtoJSON, told apart by its member @type.",
        "properties": {"@type": text},
        "required": ["@type"],
    }
    error: Schema = {
        "type": "object",
        "properties": {
            "code": {"type": "string", "enum": CODES, "description": "The canonical gRPC code."},
            "message": text | {"description": "What happened, for a person."},
            "reason": text | {"description": "What happened, for a program: a name of ErrorReason without its prefix."},
            "details": {"type": "array", "items": detail},
        },
        "required": ["code", "message", "reason", "details"],
    }
    return {
        "type": "object",
        "description": "What every failed call answers, and the last event of a stream that failed on its way.",
        "properties": {"error": error},
        "required": ["error"],
    }


def _openai_error() -> Schema:
    text: Schema = {"type": ["string", "null"]}
    members = {"message": {"type": "string"}, "type": {"type": "string"}, "param": text, "code": text}
    error: Schema = {"type": "object", "properties": members, "required": list(members)}
    return {
        "type": "object",
        "description": "What a failed call of the OpenAI-compatible API answers.",
        "properties": {"error": error},
        "required": ["error"],
    }
