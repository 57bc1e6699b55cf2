"""Logs and measurements as files that grow, and what is computed of them."""

from __future__ import annotations

from pathlib import Path

from services.training.post_training.history import Lines, Point, Tail, log, remaining, spread


def point(sequence: int, *, step: int, at: float, attempt: int = 1) -> Point:
    """Return a measurement of the loss."""
    return Point(sequence, at, attempt, step, 100, 0.0, 0, {"loss": 1.0})


def test_half_a_line_is_left_for_the_next_look(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    tail = Tail(file)
    assert tail.read() == []
    file.write_text("one\ntw")
    assert (tail.read(), tail.count) == (["one"], 1)
    with file.open("a") as more:
        more.write("o\nthree\n")
    assert (tail.read(), tail.count) == (["two", "three"], 3)


def test_a_log_gives_its_last_lines_and_the_number_of_the_last(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("a\nb\nc\nd\n")
    assert log(file, 0, 2) == Lines(["c", "d"], 4)
    assert log(file, 3, 10) == Lines(["d"], 4)
    assert log(tmp_path / "none", 0, 10) == Lines([], 0)


def test_points_are_thinned_out_evenly_between_the_first_and_the_last() -> None:
    every = [point(number, step=number, at=number) for number in range(1, 10)]
    assert [each.sequence for each in spread(every, 3)] == [1, 5, 9]
    assert spread(every, 1) == every[-1:]
    assert spread(every, 100) == every


def test_the_time_left_follows_the_speed_of_the_present_attempt() -> None:
    assert remaining([]) is None
    assert remaining([point(1, step=1, at=0.0)]) is None
    slow = [point(number, step=number, at=10.0 * number) for number in range(1, 4)]
    assert remaining(slow) == 970.0
    again = [*slow, point(4, step=2, at=100.0, attempt=2), point(5, step=4, at=101.0, attempt=2)]
    assert remaining(again) == 48.0
