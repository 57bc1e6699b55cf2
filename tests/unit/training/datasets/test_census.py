"""Statistics in bounded memory."""

from __future__ import annotations

import statistics
from random import Random

from services.training.datasets.census import Census, ColumnCensus, Distinct, Sizes
from services.training.revisions import ColumnType


def test_distinct_values_are_counted_exactly_while_they_are_few() -> None:
    distinct = Distinct(k=100)
    for number in range(1000):
        distinct.add(str(number % 99).encode())
    assert distinct.count == 99


def test_many_distinct_values_are_estimated_closely() -> None:
    distinct = Distinct(k=5000)
    for number in range(60_000):
        distinct.add(str(number % 40_000).encode())
    assert abs(distinct.count / 40_000 - 1) < 0.05


def test_sizes_are_those_of_the_numbers() -> None:
    random = Random(1)
    numbers = [random.gauss(5, 3) for _ in range(2000)]
    sizes = Sizes()
    for number in numbers:
        sizes.add(number)
    described = sizes.described()
    assert (described["min"], described["max"]) == (min(numbers), max(numbers))
    assert abs(described["mean"] - statistics.fmean(numbers)) < 1e-9
    assert abs(described["stddev"] - statistics.pstdev(numbers)) < 1e-9
    assert described["median"] == statistics.median(numbers)
    assert Sizes().described() == {}


def test_the_median_of_more_numbers_than_are_kept_is_close() -> None:
    sizes = Sizes(k=2000)
    for number in range(50_000):
        sizes.add(float(number))
    assert abs(sizes.described()["median"] - 25_000) < 2500


def test_a_column_is_measured_by_its_type() -> None:
    census = Census(ColumnType.JSON)
    for value, written in ((None, b"null"), ({"a": 1}, b'{"a":1}'), ("é", b'"\xc3\xa9"')):
        census.add(value, written)
    assert census.taken() == ColumnCensus(1, 3, 2.0, 7.0, 13 / 3, 4.0, census.taken().stddev)
