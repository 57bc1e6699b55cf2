"""Ids and page tokens."""

from __future__ import annotations

from uuid import UUID

import pytest

from mesh.errors import OutOfRange
from mesh.ids import new_id
from mesh.paging import page_size, read_token, write_token


def test_ids_are_distinct_uuids_in_the_order_of_their_making() -> None:
    moments = [1_700_000_000 + number for number in range(100)]
    made = [new_id(lambda moment=moment: moment) for moment in moments]  # type: ignore[misc]  # a default binds it
    assert made == sorted(set(made))
    assert {UUID(identifier).version for identifier in made} == {7}
    assert {UUID(identifier).variant for identifier in made} == {"specified in RFC 4122"}
    assert len({new_id(lambda: 1.0) for _ in range(1000)}) == 1000


def test_a_token_brings_back_its_key_with_its_types() -> None:
    key = (1.5, "öö", 7)
    assert read_token("ListJobs", write_token("ListJobs", key)) == key
    assert read_token("ListJobs", "") is None


@pytest.mark.parametrize(
    "token", ["%", "abc", "bnVsbA", write_token("Other", (1,)), write_token("ListJobs", ()), "WyJMaXN0Sm9icyIsdHJ1ZV0"]
)
def test_a_token_that_is_not_of_this_list_is_out_of_range(token: str) -> None:
    with pytest.raises(OutOfRange):
        read_token("ListJobs", token)


def test_a_page_has_a_hundred_items_unless_asked_otherwise() -> None:
    assert (page_size(0), page_size(7)) == (100, 7)
