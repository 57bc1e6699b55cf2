"""Values are split by their text, so that nothing that is tested was ever trained on."""

import random

import pytest

from models.builtin.entities import KINDS, is_test, pick


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_values_on_both_sides_and_none_on_both(kind: str) -> None:
    rng = random.Random(3)
    trained = {pick(rng, "train", KINDS[kind]) for _ in range(60)}
    tested = {pick(rng, "test", KINDS[kind]) for _ in range(20)}
    assert trained.isdisjoint(tested)
    assert all(is_test(value) for value in tested)


def test_the_side_of_a_value_does_not_depend_on_its_case() -> None:
    assert is_test("Trondheim") == is_test("trondheim") == is_test("TRONDHEIM")
