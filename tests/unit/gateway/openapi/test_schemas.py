"""Schemas against the codec: what it writes fits the view of responses, and what it reads the view of requests."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from gateway.openapi.comments import Comments
from gateway.openapi.messages import Messages
from gateway.openapi.schema import COMPONENTS, View
from tests.unit.gateway.openapi.document import CONTRACT
from tests.unit.gateway.strategies import samples

COMMENTS = Comments(CONTRACT.files)
BUDGET = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
BOUNDS = frozenset(
    {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems", "pattern"}
    | {"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "propertyNames", "oneOf", "not", "allOf"}
)
NAMED = {"enum": ["NaN", "Infinity", "-Infinity"]}
ZERO = {"const": "unspecified"}


def roots(kind: str) -> list[Descriptor]:
    """Return the messages that RPCs with a REST form take or give, each once; all others are somewhere in them."""
    found = {getattr(rpc, kind).full_name: getattr(rpc, kind) for rpc in CONTRACT.rpcs.values() if rpc.rules}
    return list(found.values())


def unbound(schema: Any, view: View) -> Any:
    """Return a schema without bounds, open to enum values that are not known and to numbers that JSON has not."""
    if isinstance(schema, list):
        return [unbound(item, view) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "number":
        return {"anyOf": [{"type": "number"}, NAMED]}
    if schema.get("type") == ["number", "null"]:
        return {"anyOf": [{"type": ["number", "null"]}, NAMED]}
    kept = {name: value for name, value in schema.items() if name not in BOUNDS and name != "const"}
    if schema.get("type") == "string" and "const" in schema:
        kept["const"] = schema["const"]
    if "properties" in schema:
        kept["properties"] = {name: unbound(member, view) for name, member in schema["properties"].items()}
        return kept
    return {name: unbound(value, view) if name != "required" else value for name, value in kept.items()}


def validator(message: Descriptor, view: View) -> Draft202012Validator:
    messages = Messages(COMMENTS)
    whole = messages.message(message, view)
    components = {
        "schemas": {
            name: {"anyOf": [{"type": "integer"}, ZERO, schema]} if name.endswith(":enum") else unbound(schema, view)
            for name, schema in messages.components.items()
        }
    }
    if view is View.REQUEST:
        _forget_needs(components["schemas"])
    return Draft202012Validator({**whole, "components": components})


def _forget_needs(schemas: dict[str, Any]) -> None:
    """Leave members required only where the codec itself asks for them: rules are for the services to judge."""
    for name, schema in schemas.items():
        if "required" in schema:
            message = CONTRACT.pool.FindMessageTypeByName(name.partition(":")[0])
            asked = {field.name for field in message.fields if "field_behavior" in str(field.GetOptions())}
            schema["required"] = [member for member in schema["required"] if member in asked]


@pytest.mark.parametrize("message", roots("output"), ids=lambda message: message.full_name)
def test_what_the_codec_writes_fits_the_schema_of_responses(message: Descriptor) -> None:
    check_schema = validator(message, View.RESPONSE)

    @BUDGET
    @given(samples(message))
    def check(sample) -> None:  # type: ignore[no-untyped-def]
        check_schema.validate(sample.json)

    check()


@pytest.mark.parametrize("message", roots("input"), ids=lambda message: message.full_name)
def test_what_the_codec_writes_fits_the_schema_of_requests(message: Descriptor) -> None:
    check_schema = validator(message, View.REQUEST)

    @BUDGET
    @given(samples(message))
    def check(sample) -> None:  # type: ignore[no-untyped-def]
        check_schema.validate(sample.json)

    check()


def test_free_json_is_any_json() -> None:
    messages = Messages(COMMENTS)

    found = [
        messages.message(CONTRACT.pool.FindMessageTypeByName(f"llamastack.common.v1.{name}"), View.REQUEST)
        for name in ("JsonValue", "JsonArray", "JsonObject")
    ]

    assert (found, messages.components) == ([{}, {"type": "array"}, {"type": "object"}], {})


def test_a_union_of_constants_has_a_discriminator() -> None:
    messages = Messages(COMMENTS)
    messages.message(CONTRACT.pool.FindMessageTypeByName("llamastack.common.v1.Message"), View.RESPONSE)

    discriminator = messages.components["llamastack.common.v1.Message:response"]["discriminator"]

    assert discriminator == {
        "propertyName": "role",
        "mapping": {
            "user": f"{COMPONENTS}llamastack.common.v1.UserMessage:response",
            "system": f"{COMPONENTS}llamastack.common.v1.SystemMessage:response",
            "ipython": f"{COMPONENTS}llamastack.common.v1.ToolResponseMessage:response",
            "assistant": f"{COMPONENTS}llamastack.common.v1.CompletionMessage:response",
        },
    }


def test_bounds_are_stated_where_requests_are_read() -> None:
    messages = Messages(COMMENTS)
    messages.message(CONTRACT.pool.FindMessageTypeByName("llamastack.common.v1.SamplingParams"), View.REQUEST)

    top_p = messages.components["llamastack.common.v1.SamplingParams:request"]["properties"]["top_p"]

    assert {name: value for name, value in top_p.items() if name != "description"} == {
        "type": ["number", "null"],
        "format": "double",
        "exclusiveMinimum": 0.0,
        "maximum": 1.0,
    }
