"""Packed floats are written in their shortest form, with numpy and without it."""

from __future__ import annotations

import struct
from math import inf, isfinite, nan

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec import EncodeError, floats
from gateway.codec.floats import floats_value
from gateway.codec.scalar import single_value


def packed(*numbers: float) -> bytes:
    """Return numbers as little-endian floats."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.fixture(params=["numpy", "plain"])
def _path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with numpy and as if it was not installed."""
    if request.param == "plain":
        monkeypatch.setattr(floats, "numpy", None)


@pytest.mark.usefixtures("_path")
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (1 / 3, "0.33333334"),
        (-0.0, "-0.0"),
        (16777216.0, "16777216.0"),
        (3.4028234663852886e38, "3.4028235e+38"),
        (1.401298464324817e-45, "1e-45"),
        (1.1754943508222875e-38, "1.1754944e-38"),
        (7.006492321624085e-45, "7e-45"),
    ],
)
def test_a_float_is_the_shortest_numeral_that_reads_back_the_same(number: float, text: str) -> None:
    assert orjson.loads(orjson.dumps(floats_value(packed(number)))) == [float(text)]


@pytest.mark.usefixtures("_path")
def test_numbers_that_json_lacks_are_names_and_no_numbers_are_an_empty_array() -> None:
    assert orjson.dumps(floats_value(packed(1.0, nan, inf, -inf))) == b'[1.0,"NaN","Infinity","-Infinity"]'
    assert orjson.dumps(floats_value(b"")) == b"[]"


@pytest.mark.usefixtures("_path")
def test_a_float_that_is_cut_off_is_refused() -> None:
    with pytest.raises(EncodeError):
        floats_value(bytes(7))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(width=32), min_size=1))
def test_both_ways_of_writing_agree(numbers: list[float]) -> None:
    expected = [single_value(number) for number in numbers]
    assert orjson.loads(orjson.dumps(floats_value(packed(*numbers)))) == expected
    for number, value in zip(numbers, expected, strict=True):
        if isfinite(number):
            assert isinstance(value, float)
            assert packed(value) == packed(number)
