"""The OpenAPI document as a whole."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from openapi_spec_validator import validate

from gateway.codec import Codec
from gateway.openapi import Settings, render
from gateway.openapi.operations import openapi_path
from tests.unit.gateway.openapi.document import CONTRACT, document, operations, validator

CODEC = Codec(CONTRACT.pool)
INFERENCE = "llamastack.inference.v1.InferenceService"


def test_the_document_is_valid_openapi() -> None:
    validate(document())


def test_the_document_is_plain_json() -> None:
    assert json.loads(json.dumps(document())) == document()


def test_every_binding_of_every_rpc_is_an_operation() -> None:
    bindings = {f"{rule.verb} {openapi_path(rule.template)}" for rpc in CONTRACT.rpcs.values() for rule in rpc.rules}

    assert {name for name, _ in operations(document())} == bindings


def test_operation_ids_are_unique() -> None:
    ids = Counter(operation["operationId"] for _, operation in operations(document()))

    assert [name for name, count in ids.items() if count > 1] == []


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to() -> None:
    text = json.dumps(document())
    prefix = "#/components/schemas/"
    referred = {part.split('"')[0] for part in text.split(prefix)[1:]}

    assert referred == document()["components"]["schemas"].keys()


def test_everything_has_a_description() -> None:
    silent = [name for name, operation in operations(document()) if not operation["description"]]
    silent += [tag["name"] for tag in document()["tags"] if not tag["description"]]
    silent += [name for name, schema in document()["components"]["schemas"].items() if not schema["description"]]

    assert silent == []


def test_a_selection_of_services_has_their_paths_and_schemas_only() -> None:
    rendered = render(CONTRACT, Settings(services=frozenset({INFERENCE})))

    validate(rendered)
    assert [tag["name"] for tag in rendered["tags"]] == ["Inference"]
    assert {name.split("/")[1] for name, _ in operations(rendered)} == {"batch_inference", "inference"}
    assert "OpenAIError" not in rendered["components"]["schemas"]


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(ValueError, match=r"no such service: llamastack\.none\.v1\.NoneService"):
        render(CONTRACT, Settings(services=frozenset({"llamastack.none.v1.NoneService"})))


def test_a_secured_document_tells_the_scope_of_each_operation() -> None:
    rendered = render(CONTRACT, Settings(secured=True))

    validate(rendered)
    assert rendered["paths"]["/inference/completion"]["post"]["security"] == [
        {"token": ["inference:use"]},
        {"key": ["inference:use"]},
    ]


def test_an_open_document_asks_for_no_credentials() -> None:
    assert "securitySchemes" not in document()["components"]
    assert [name for name, operation in operations(document()) if "security" in operation] == []


def test_wrapped_urls_are_described_as_they_are_written() -> None:
    rendered = render(CONTRACT, Settings(wrap_urls=True))

    assert rendered["components"]["schemas"]["Url"]["required"] == ["uri"]
    assert document()["components"]["schemas"]["Url"]["type"] == "string"


def test_examples_fit_their_schemas() -> None:
    unfit = []
    for name, operation in operations(document()):
        for body in (operation.get("requestBody", {}), operation["responses"]["200"]):
            for media in body.get("content", {}).values():
                if "example" in media and not validator(media["schema"], document()).is_valid(media["example"]):
                    unfit.append(name)

    assert unfit == []


def test_examples_of_whole_requests_are_read_by_the_codec() -> None:
    read = 0
    for rpc in CONTRACT.rpcs.values():
        for rule in rpc.rules:
            if rule.body == "*" and "{" not in rule.template:
                operation = document()["paths"][rule.template][rule.verb.lower()]
                CODEC.value_decoder(rpc.input)(operation["requestBody"]["content"]["application/json"]["example"])
                read += 1

    assert read > 50
