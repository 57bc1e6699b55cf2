"""How components are named."""

from __future__ import annotations

from gateway.openapi.components import final_names
from gateway.openapi.schema import reference

TEXT = {"type": "string"}
NUMBER = {"type": "number"}


def test_views_that_read_alike_are_one_component() -> None:
    names = final_names({"a.b.v1.Note:request": TEXT, "a.b.v1.Note:response": TEXT})

    assert names == {"a.b.v1.Note:request": "Note", "a.b.v1.Note:response": "Note"}


def test_of_views_that_differ_the_one_of_requests_has_the_suffix() -> None:
    names = final_names({"a.b.v1.Note:request": TEXT, "a.b.v1.Note:response": NUMBER})

    assert names == {"a.b.v1.Note:request": "NoteInput", "a.b.v1.Note:response": "Note"}


def test_views_differ_when_what_they_refer_to_does() -> None:
    names = final_names(
        {
            "a.b.v1.Book:request": {"items": reference("a.b.v1.Note:request")},
            "a.b.v1.Book:response": {"items": reference("a.b.v1.Note:response")},
            "a.b.v1.Note:request": TEXT,
            "a.b.v1.Note:response": NUMBER,
        }
    )

    assert names["a.b.v1.Book:request"] == "BookInput"


def test_the_rfcs_messages_keep_their_names_beside_openais() -> None:
    names = final_names({"a.inference.v1.Note:request": TEXT, "a.openai.v1.Note:request": NUMBER})

    assert names == {"a.inference.v1.Note:request": "Note", "a.openai.v1.Note:request": "OpenAINote"}


def test_messages_of_one_name_have_their_area_in_front() -> None:
    names = final_names({"a.common.v1.Note:request": TEXT, "a.some_area.v1.Note:request": NUMBER})

    assert names == {"a.common.v1.Note:request": "Note", "a.some_area.v1.Note:request": "SomeAreaNote"}
