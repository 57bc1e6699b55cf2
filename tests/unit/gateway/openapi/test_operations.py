"""Single operations, as a reader of the document sees them."""

from __future__ import annotations

from typing import Any

from tests.unit.gateway.openapi.document import document


def operation(verb: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][path][verb]
    return found


def test_a_completion_is_one_operation_with_both_layouts() -> None:
    completion = operation("post", "/inference/completion")

    assert completion["tags"] == ["Inference"]
    assert completion["summary"] == "Continues a text"
    assert list(completion["responses"]["200"]["content"]) == ["application/json", "text/event-stream"]
    assert completion["responses"].keys() == {"200", "4XX", "5XX"}


def test_a_request_that_can_stream_has_the_member_stream() -> None:
    members = document()["components"]["schemas"]["CompletionRequest"]["properties"]

    assert members["stream"]["type"] == ["boolean", "null"]


def test_the_data_of_an_event_is_a_chunk_or_an_error() -> None:
    content = operation("post", "/inference/completion")["responses"]["200"]["content"]

    assert content["text/event-stream"]["schema"] == {
        "type": "object",
        "properties": {
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/CompletionResponseStreamChunk"},
                        {"$ref": "#/components/schemas/Error"},
                    ]
                },
            }
        },
        "required": ["data"],
    }


def test_a_list_is_json_lines_with_the_next_page_in_a_header() -> None:
    response = operation("get", "/memory_banks/list")["responses"]["200"]
    line = {"$ref": "#/components/schemas/MemoryBank"}

    assert {kind: media["schema"] for kind, media in response["content"].items()} == {
        "application/jsonl": line,
        "application/json": {"type": "array", "items": line},
    }
    assert list(response["headers"]) == ["x-next-page-token"]


def test_a_bare_array_is_read_in_its_object_form_too() -> None:
    body = operation("post", "/memory_bank/get")["requestBody"]["content"]["application/json"]["schema"]
    array, wrapped, *rest = body["anyOf"]

    assert (array["type"], wrapped["type"], rest) == ("array", "object", [{"type": "null"}])
    assert list(wrapped["properties"]) == ["document_ids"]


def test_a_body_may_be_left_out_where_no_member_is_needed() -> None:
    assert operation("post", "/inference/completion")["requestBody"]["required"]
    assert not operation("post", "/memory_banks/list")["requestBody"]["required"]


def test_members_that_no_body_holds_are_parameters() -> None:
    parameters = operation("get", "/agentic_system/step/get")["parameters"]

    assert [(one["name"], one["in"], one["required"]) for one in parameters] == [
        ("agent_id", "query", True),
        ("turn_id", "query", True),
        ("step_id", "query", True),
    ]


def test_a_further_binding_tells_which_one_it_repeats() -> None:
    assert operation("post", "/batch_inference/completion")["x-same-as"] == "POST /inference/batch_completion"


def test_a_variable_of_the_path_is_a_required_parameter() -> None:
    (parameter,) = operation("get", "/v1/models/{model}")["parameters"]

    assert (parameter["name"], parameter["in"], parameter["required"]) == ("model", "path", True)


def test_openai_paths_fail_in_openais_way() -> None:
    responses = operation("post", "/v1/chat/completions")["responses"]

    assert responses["4XX"] == {"$ref": "#/components/responses/OpenAIClientError"}
