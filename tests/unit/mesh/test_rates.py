"""Buckets fill evenly and hold a minute's worth."""

from __future__ import annotations

from mesh.rates import Rate


def rate(per_minute: int) -> tuple[Rate, list[float]]:
    clock = [1000.0]
    return Rate(per_minute, lambda: clock[0]), clock


def test_a_minutes_worth_is_there_at_once_and_then_comes_in_evenly() -> None:
    bucket, clock = rate(60)
    for _ in range(60):
        assert bucket.wait("a") == 0
        bucket.take("a")
    assert bucket.wait("a") == 1.0
    clock[0] += 0.75
    assert bucket.wait("a") == 0.25
    clock[0] += 0.25
    assert bucket.wait("a") == 0


def test_one_does_not_take_from_another() -> None:
    bucket, _ = rate(1)
    bucket.take("a")
    assert (bucket.wait("a"), bucket.wait("b")) == (60.0, 0)


def test_what_was_taken_beyond_has_to_be_made_up() -> None:
    bucket, clock = rate(60)
    bucket.take("a", 90)
    assert bucket.wait("a") == 31.0
    clock[0] += 31
    assert bucket.wait("a") == 0


def test_a_quiet_hour_brings_no_more_than_a_minutes_worth() -> None:
    bucket, clock = rate(60)
    bucket.take("a")
    clock[0] += 3600
    bucket.take("a", 60)
    assert bucket.wait("a") == 1.0


def test_buckets_that_are_full_again_are_forgotten() -> None:
    bucket, clock = rate(60)
    for number in range(10_000):
        bucket.take(str(number))
    clock[0] += 2
    bucket.take("debtor", 120)
    clock[0] += 2
    for number in range(10_000):
        bucket.take(str(number))
    assert bucket.wait("debtor") > 0
    assert bucket.wait("0", 60) == 1.0
