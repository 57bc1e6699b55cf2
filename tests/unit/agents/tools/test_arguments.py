"""What a model is told of a JSON Schema, and how results are cut."""

from __future__ import annotations

from typing import Any

import pytest

from llamastack.common.v1.tool_pb2 import ToolParamDefinition
from mesh.errors import InvalidField
from services.agents.tools.arguments import check, parameters_of
from services.agents.tools.clipping import clip
from services.agents.tools.tool import Description, Kind, parameter


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": "array", "items": {"type": "number"}}, "list[float]"),
        ({"type": ["string", "null"]}, "str"),
        ({}, "dict"),
        (True, "dict"),
    ],
)
def test_a_schema_s_types_have_python_s_names(schema: Any, kind: str) -> None:
    told = parameters_of({"properties": {"x": schema}, "required": ["x"]})
    assert told == {"x": ToolParamDefinition(param_type=kind, description="", required=True)}


def test_a_schema_without_properties_has_no_parameters() -> None:
    assert parameters_of({"type": "object"}) == {}


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("int", 1, True),
        ("int", True, False),
        ("int", 1.5, False),
        ("float", 1, True),
        ("bool", True, True),
        ("bool", 1, False),
        ("list[str]", ["a"], True),
        ("list[str]", "a", False),
        ("date", "2026", True),
    ],
)
def test_values_are_checked_by_the_name_of_their_type(kind: str, value: Any, fits: bool) -> None:
    described = Description("t", Kind.REST, "", {"x": parameter(kind, "")}, 1.0)
    if fits:
        check(described, {"x": value})
    else:
        with pytest.raises(InvalidField, match=f"arguments.x: a value of type {kind.partition('[')[0]}"):
            check(described, {"x": value})


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [("abcd", 4, "abcd"), ("abcdefgh", 4, "abc\n[… 4 characters left out …]\nh")],
)
def test_long_texts_lose_their_middle(text: str, most: int, cut: str) -> None:
    assert clip(text, most) == cut
