"""What filters make of metadata, the same for every store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamastack.memory.v1.query_pb2 import MetadataCondition, MetadataFilter, NumberRange
from mesh.json_text import Loose, value_of
from services.memory.conditions import conditions, features, time_field

scalars = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8))


def holds(metadata: dict[str, Loose], *asked: MetadataCondition) -> bool:
    chosen = conditions(MetadataFilter(all=asked))
    return chosen.hold(features({name: value_of(value) for name, value in metadata.items()}))


def equals(key: str, value: Loose) -> MetadataCondition:
    return MetadataCondition(key=key, equals=value_of(value))


@given(st.text(min_size=1, max_size=8), scalars)
def test_every_scalar_equals_itself_alone_in_an_array_and_in_an_object(key: str, value: Loose) -> None:
    assert holds({key: value}, equals(key, value))
    assert holds({key: [None, value]}, equals(key, value))
    assert holds({"o": {key: [value]}}, equals(f"o.{key}", value))


@pytest.mark.parametrize(
    ("stored", "asked", "same"),
    [
        (1, 1.0, True),
        (2**70, 2**70, True),
        (2**53 + 1, float(2**53), False),
        (1, True, False),
        (1, "1", False),
        (0, False, False),
        ("a", "A", False),
        (1.5, 1, False),
    ],
)
def test_numbers_are_equal_by_value_and_kinds_are_never_mixed(stored: Loose, asked: Loose, same: bool) -> None:
    assert holds({"x": stored}, equals("x", asked)) is same


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_a_range_holds_as_comparison_does(number: float, bound: float) -> None:
    def within(**bounds: float) -> bool:
        return holds({"x": number}, MetadataCondition(key="x", range=NumberRange(**bounds)))

    found = (within(gt=bound), within(gte=bound), within(lt=bound), within(lte=bound))
    assert found == (number > bound, number >= bound, number < bound, number <= bound)


def test_a_range_without_bounds_holds_for_any_number() -> None:
    anything = MetadataCondition(key="x", range=NumberRange())
    values: list[Loose] = [-1, 10**400, "1", None]
    assert [holds({"x": value}, anything) for value in values] == [True, True, False, False]


def test_a_member_of_null_is_not_there() -> None:
    there = MetadataCondition(key="x", exists=True)
    values: list[Loose] = [None, [], {}, False, ""]
    assert [holds({"x": value}, there) for value in values] == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.0000019+01:00", 1),
        ("1970-01-01 00:00:00z", 0),
        ("1970-01-01", None),
        ("1970-13-01T00:00:00Z", None),
        ("1970-01-01T00:00:00", None),
    ],
)
def test_times_are_those_of_rfc_3339(text: str, microseconds: int | None) -> None:
    found = features({"x": value_of(text)}).numbers.get(time_field("x"))
    assert found == (None if microseconds is None else [float(microseconds)])
