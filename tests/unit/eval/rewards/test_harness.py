"""Running tests on an answer's code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.eval.rewards.harness import BadTests, Result, check_tests, code_of, program, read_result

TESTS = """
from answer import double

def test_two():
    assert double(2) == 4

def test_text():
    assert double("a") == "aa", "texts too"

def helper():
    raise AssertionError
"""


def ran(answer: str, tests: str = TESTS, seconds: float = 10.0) -> Result | None:
    code = program("MARK", answer, tests, seconds)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    return read_result(done.stdout, "MARK")


def test_passing_tests_are_counted_and_failing_ones_explained() -> None:
    assert ran("def double(x):\n    print('MARK{}')\n    return x + x") == Result(2)
    half = ran("def double(x):\n    return abs(x) * 2")
    assert half is not None
    assert half.passed == 1
    assert [name for name, _ in half.failed] == ["test_text"]
    assert half.fraction == 0.5
    assert half.explanation.startswith("1 of 2 tests passed\ntest_text: TypeError: ")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("def double(x) return x", "SyntaxError"),
        ("", "ImportError"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("raise KeyError('x')", "KeyError"),
    ],
)
def test_code_that_does_not_load_is_worth_nothing(answer: str, told: str) -> None:
    result = ran(answer)
    assert result is not None
    assert (result.fraction, str(result.broken).startswith(told)) == (0.0, True)


def test_code_that_ends_the_process_or_never_ends_is_worth_nothing() -> None:
    assert ran("import os\ndef double(x):\n    os._exit(0)") is None
    assert ran("def double(x):\n    while True: pass", seconds=0.3) == Result(0, broken="timeout")


def test_odd_texts_arrive_as_they_are() -> None:
    text = 'def double(x):\n    """{}\' \\\\ ü \\n {reference}"""\n    return x * 2'
    assert ran(text, "import answer\ndef test_doc():\n    assert 'ü' in answer.double.__doc__") == Result(1)


def test_the_code_of_an_answer_is_in_its_blocks() -> None:
    assert code_of("Use\n```python\na = 1\n```\nand\n```\nb = 2\n```") == "a = 1\n\nb = 2\n"
    assert code_of("a = 1") == "a = 1"
    assert code_of("```py\na = 1") == "a = 1"


@pytest.mark.parametrize(
    ("tests", "why"), [("def test_(", "Python code"), ("a\0", "Python code"), ("def check(): pass", "test function")]
)
def test_tests_that_cannot_be_run_are_refused(tests: str, why: str) -> None:
    with pytest.raises(BadTests, match=why):
        check_tests(tests)


@pytest.mark.parametrize("output", ["", "MARK", "MARK{}", "MARK[]", 'MARK{"passed": 1, "failed": 3, "broken": null}'])
def test_what_is_no_result_is_none(output: str) -> None:
    assert read_result(output, "MARK") is None
