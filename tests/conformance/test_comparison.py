"""The comparison itself: whatever is taken from the RFC's facts, or changed in them, is a difference."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.conformance.comparison import Difference, compare

Facts = dict[str, Any]


@cache
def rfc() -> Facts:
    facts: Facts = json.loads((Path(__file__).resolve().parent / "rfc_2024_08_20.json").read_text())
    return facts


def members(shape: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every member of every object in a part of the facts."""
    if isinstance(shape, dict):
        for name in shape.get("properties", {}):
            yield (*path, "properties", name)
        for key, value in shape.items():
            yield from members(value, (*path, key))
    elif isinstance(shape, list):
        for index, value in enumerate(shape):
            yield from members(value, (*path, index))


def changed(place: tuple[Any, ...], value: Any) -> Facts:
    """Return the facts with one member changed, or taken away when the value is None."""
    facts = copy.deepcopy(rfc())
    *way, last = place
    holder: Any = facts
    for step in way:
        holder = holder[step]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return facts


def test_the_rfc_does_not_differ_from_itself() -> None:
    assert compare(rfc(), rfc()) == set()


def test_every_member_that_is_missing_is_a_difference() -> None:
    places = list(members(rfc()["schemas"], ("schemas",)))

    unseen = [place for place in places if not compare(rfc(), changed(place, None))]

    assert (len(places) > 200, unseen) == (True, [])


def test_every_member_of_another_type_is_a_difference() -> None:
    other = {"type": "string", "const": "a type that no member has"}

    unseen = [place for place in members(rfc()["schemas"], ("schemas",)) if not compare(rfc(), changed(place, other))]

    assert unseen == []


def test_every_operation_that_is_missing_is_a_difference() -> None:
    for name in rfc()["operations"]:
        found = compare(rfc(), changed(("operations", name), None))

        assert found == {Difference("operation-missing", name)}


def test_a_parameter_that_is_missing_or_optional_is_a_difference() -> None:
    place = ("operations", "GET /runs/metrics", "parameters", "query run_id")

    assert compare(rfc(), changed(place, None)) == {Difference("parameter-missing", "GET /runs/metrics query run_id")}
    assert compare(rfc(), changed((*place, "required"), False)) == {
        Difference("parameter-required", "GET /runs/metrics query run_id", "false")
    }
