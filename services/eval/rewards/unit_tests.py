"""Scores by the fraction of unit tests that an answer's code passes in the sandbox of the code interpreter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import uuid4

from llamastack.reward_scoring.v1.reward_pb2 import RewardFunction, UnitTestReward
from mesh.errors import InvalidField
from services.eval.rewards.abreast import abreast
from services.eval.rewards.answer import Answer, Score
from services.eval.rewards.harness import BadTests, check_tests, code_of, program, read_result
from services.eval.rewards.tools import Ran
from services.eval.rewards.verifiable import REFERENCE

SECONDS: Final = 20.0
# for the way there and the start of the sandbox, beside the time of the tests
_SPARE_SECONDS: Final = 20.0


class Running(Protocol):
    """Who runs programs in a sandbox."""

    async def run(self, code: str, timeout_s: float) -> Ran:
        """Run Python and return what it wrote."""
        ...


class ByUnitTests:
    """Scores by the tests of a reward function; ``room`` is for runs of the sandbox."""

    def __init__(self, runner: Running, room: asyncio.Semaphore) -> None:
        """Keep who runs."""
        self._runner = runner
        self._room = room

    async def score(self, reward: RewardFunction, answers: Sequence[Answer]) -> list[Score]:
        """Return one score per answer; InvalidField for tests that can't be run whatever the answer is."""
        seconds = reward.unit_test.timeout_seconds or SECONDS
        jobs = [(answer, tests_for(reward.unit_test, answer)) for answer in answers]
        return await abreast(self._room, lambda job: self._one(*job, seconds), jobs)

    async def _one(self, answer: Answer, tests: str, seconds: float) -> Score:
        mark = uuid4().hex
        code = program(mark, code_of(answer.text), tests, seconds)
        ran = await self._runner.run(code, seconds + _SPARE_SECONDS)
        result = read_result(ran.output, mark)
        if ran.timed_out or (result is not None and result.broken == "timeout"):
            return Score(0.0, "the time for the tests was up")
        if result is None:
            return Score(0.0, "the code ended before its tests did")
        return Score(result.fraction, result.explanation)


def tests_for(reward: UnitTestReward, answer: Answer) -> str:
    """Return the tests for an answer, with the reference in its place.

    Raises:
        InvalidField: the reference is missing, or the tests are none.
    """
    tests = reward.tests if reward.HasField("tests") else REFERENCE
    where = "reward.unit_test.tests" if reward.HasField("tests") else f"{answer.path}.reference"
    if REFERENCE in tests:
        tests = tests.replace(REFERENCE, answer.known_reference())
    try:
        check_tests(tests)
    except BadTests as error:
        raise InvalidField(where, str(error)) from error
    return tests
