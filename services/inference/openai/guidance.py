"""What restricts an answer: the response format, a tool that has to be called, or both."""

from __future__ import annotations

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.openai.v1.chat_pb2 import ResponseFormat
from services.inference.engine import Guidance, GuidanceKind
from services.inference.openai.schemas import SchemaText, schema_text
from services.inference.openai.tools import Offer, parameters_of

_OBJECT = JsonObject(fields={"type": JsonValue(string_value="object")})


def guidance_of(wanted: ResponseFormat, offer: Offer) -> Guidance | None:
    """Return the restriction, None for free text.

    Where tools are offered beside a JSON answer, either is allowed, unless a call is forced: then the answer's format
    does not matter.
    """
    form = wanted.WhichOneof("format")
    structured = form in {"json_object", "json_schema"}
    if not offer.callable:
        return _answer_alone(wanted) if structured else None
    if not offer.forced and not structured:
        return None
    text = SchemaText()
    functions = [(function.name, parameters_of(function)) for function in offer.callable]
    alternatives = text.calls(functions, single=offer.single)
    if not offer.forced:
        alternatives.insert(0, text.part(_schema(wanted)))
    return Guidance(GuidanceKind.JSON_SCHEMA, text.whole(alternatives))


def _answer_alone(wanted: ResponseFormat) -> Guidance:
    if wanted.json_schema.json_schema.HasField("schema"):
        return Guidance(GuidanceKind.JSON_SCHEMA, schema_text(wanted.json_schema.json_schema.schema))
    return Guidance(GuidanceKind.JSON_OBJECT)


def _schema(wanted: ResponseFormat) -> JsonObject:
    schema = wanted.json_schema.json_schema
    return schema.schema if schema.HasField("schema") else _OBJECT
