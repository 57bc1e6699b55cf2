"""Reward scoring over its peers: every kind of reward function, order, threshold and errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llamastack.common.v1.value_pb2 import JsonObject
from llamastack.inference.v1.inference_pb2 import MessageList
from llamastack.reward_scoring.v1.reward_pb2 import (
    ExactMatchReward,
    JsonSchemaReward,
    JudgeReward,
    RegexReward,
    RewardFunction,
    RewardModel,
    UnitTestReward,
)
from llamastack.reward_scoring.v1.reward_scoring_pb2 import ScoredDialogGenerations, ScoredMessage
from mesh.errors import DeadlineExceeded, InvalidField, ResourceNotFound, Violation, WrongState
from mesh.json_text import value_of
from services.eval.rewards.config import RewardsConfig
from tests.integration.rewards.peers import agent, user
from tests.integration.rewards.serving import Served, dialog, refused, serving

pytestmark = pytest.mark.timeout(240)

ADDING = """
from answer import add

def test_one():
    assert add(1, 1) == 2

def test_two():
    assert add({reference}) == 5
"""
EXACT = RewardFunction(exact_match=ExactMatchReward())


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as running:
        yield running


def schema(loose: Any) -> RewardFunction:
    fields: JsonObject = value_of(loose).object_value
    return RewardFunction(json_schema=JsonSchemaReward(schema=fields))


def unit_tests(code: str | None = None, **settings: Any) -> RewardFunction:
    return RewardFunction(unit_test=UnitTestReward(tests=code, **settings))


def judge(**settings: Any) -> RewardFunction:
    return RewardFunction(judge=JudgeReward(**{"model": "judge", "rubric": "Be short.", **settings}))


async def test_a_reward_model_scores_each_answer_as_the_end_of_its_dialog(served: Served) -> None:
    dialogs = [dialog("a", "bcd", asked="1?"), dialog(asked="2?"), dialog("ef", asked="3?")]
    expected = [
        ScoredDialogGenerations(
            dialog=[user("1?")],
            scored_generations=[
                ScoredMessage(message=agent("a"), score=1),
                ScoredMessage(message=agent("bcd"), score=3),
            ],
        ),
        ScoredDialogGenerations(dialog=[user("2?")]),
        ScoredDialogGenerations(dialog=[user("3?")], scored_generations=[ScoredMessage(message=agent("ef"), score=2)]),
    ]
    assert await served.score(dialogs, model="reward") == expected
    assert served.inference.scored[2] == MessageList(messages=[user("3?"), agent("ef")])
    by_reward = RewardFunction(reward_model=RewardModel(model="reward"))
    assert await served.score(dialogs, by_reward, model="unused") == expected


async def test_answers_below_the_threshold_are_left_out_and_their_dialog_stays(served: Served) -> None:
    many = [dialog(*("x" * length for length in range(1, 71))), dialog("x")]
    scored = await served.score(many, model="reward", threshold=69.0)
    assert [[each.score for each in item.scored_generations] for item in scored] == [[69.0, 70.0], []]
    assert await served.score([dialog()], model="reward") == [ScoredDialogGenerations(dialog=[user("Well?")])]


@pytest.mark.parametrize("logits", [[], [0.1, 0.9], [float("nan")], [float("inf")]])
async def test_a_model_that_gives_no_single_number_is_no_reward_model(served: Served, logits: list[float]) -> None:
    served.inference.logits = lambda text: logits
    assert isinstance(await refused(served.score([dialog("a")], model="reward")), WrongState)


async def test_an_unknown_model_and_no_model_are_told(served: Served) -> None:
    assert isinstance(await refused(served.score([dialog("a")], model="none")), ResourceNotFound)
    assert isinstance(await refused(served.score([dialog("a")])), InvalidField)


async def test_verifiable_rewards_are_checked_and_explained(served: Served) -> None:
    normalized = RewardFunction(exact_match=ExactMatchReward(normalize=True, extract=r"answer: (.*)"))
    assert await served.values(normalized, "answer: The Cat!", "answer: dog", "cat", reference="cat") == [
        (1.0, '"cat" is "cat"'),
        (0.0, '"dog" is not "cat"'),
        (0.0, "nothing in the answer matches extract"),
    ]
    pattern = RewardFunction(regex=RegexReward(pattern=r"\b{reference}\b"))
    assert await served.values(pattern, "it is 3.5", "it is 325", reference="3.5") == [
        (1.0, "the pattern is found in the answer"),
        (0.0, "the pattern is not found in the answer"),
    ]
    whole = schema({"type": "object", "required": ["n"], "properties": {"n": {"const": 12345678901234567890123}}})
    assert await served.values(whole, '{"n": 12345678901234567890123}', '{"n": 1}', "n") == [
        (1.0, "the answer fits the schema"),
        (0.0, '$.n: "12345678901234567890123 was expected"'),
        (0.0, "the answer is not JSON"),
    ]


async def test_more_answers_than_are_checked_at_once_keep_their_order(served: Served) -> None:
    scored = await served.score([dialog(str(number), reference=str(number % 3)) for number in range(150)], EXACT)
    assert [item.scored_generations[0].score for item in scored] == [float(number < 3) for number in range(150)]


@pytest.mark.parametrize(
    ("reward", "path"),
    [
        (EXACT, "dialog_generations[0].reference"),
        (RewardFunction(regex=RegexReward(pattern="{reference}")), "dialog_generations[0].reference"),
        (RewardFunction(regex=RegexReward(pattern="(")), "reward.regex.pattern"),
        (schema({"type": "person"}), "reward.json_schema.schema"),
        (schema({"$ref": "file:///etc/passwd"}), "reward.json_schema.schema"),
        (unit_tests(), "dialog_generations[0].reference"),
        (unit_tests("def f(): pass"), "reward.unit_test.tests"),
        (unit_tests("{reference}"), "dialog_generations[0].reference"),
        (RewardFunction(exact_match=ExactMatchReward(extract="")), "reward.exact_match.extract"),
        (judge(min_score=2, max_score=1), "reward.judge"),
    ],
)
async def test_a_reward_that_does_not_fit_is_told_by_its_path(
    served: Served, reward: RewardFunction, path: str
) -> None:
    error = await refused(served.score([dialog("1")], reward))
    assert isinstance(error, InvalidField)
    assert [each.path for each in error.details.violations] == [path]


async def test_a_check_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    # the library that checks schemas has no bounds of its own for patterns
    slow = schema({"pattern": "^(a|aa)+$"})
    answer = json.dumps("a" * 80 + "b")
    async with serving(RewardsConfig(check_timeout_s=0.5)) as served:
        error = await refused(served.score([dialog(answer)], slow))
        assert isinstance(error, DeadlineExceeded)
        assert await served.values(slow, '"aaa"') == [(1.0, "the answer fits the schema")]


async def test_unit_tests_give_the_fraction_that_passes(served: Served) -> None:
    scored = await served.values(
        unit_tests(ADDING),
        "```python\ndef add(a, b):\n    return a + b\n```",
        "def add(a, b):\n    return 2",
        "I can't.",
        "import os\ndef add(a, b):\n    os._exit(0)",
        reference="2, 3",
    )
    assert [score for score, _ in scored] == [1.0, 0.5, 0.0, 0.0]
    assert [why.split(":")[0] for _, why in scored] == [
        "2 of 2 tests passed",
        "1 of 2 tests passed\ntest_two",
        "the tests could not be run",
        "the code ended before its tests did",
    ]
    by_reference = "import answer\ndef test_it():\n    assert answer.x == 1"
    assert (await served.values(unit_tests(), "x = 1", reference=by_reference))[0] == (1.0, "1 of 1 tests passed")


async def test_unit_tests_that_never_end_are_worth_nothing_and_no_sandbox_is_an_error(served: Served) -> None:
    endless = unit_tests("import answer\ndef test_it():\n    pass", timeout_seconds=0.2)
    assert await served.values(endless, "while True: pass") == [(0.0, "the time for the tests was up")]
    served.interpreter.broken = True
    error = await refused(served.score([dialog("x = 1")], endless))
    assert (type(error), error.message) == (WrongState, "no sandbox can run here")


async def test_a_judge_scores_by_the_rubric_and_says_why(served: Served) -> None:
    served.inference.says = ["Short and right.\nScore: 4"]
    assert await served.values(judge(), "4") == [(0.75, "Short and right.\nScore: 4")]
    asked = served.inference.asked[0]
    assert "Be short." in asked.messages[0].system.content.text
    assert "from 1 (worst) to 5 (best)" in asked.messages[0].system.content.text
    assert "<answer>\n4\n</answer>" in asked.messages[1].user.content.text
    served.inference.says = ["Score: 0.25"]
    assert (await served.values(judge(min_score=0, max_score=1), "4"))[0][0] == 0.25


async def test_a_judge_that_cannot_be_read_is_asked_again_and_then_an_error(served: Served) -> None:
    served.inference.says = ["Good.", "Score: 9", "Score: 3"]
    assert await served.values(judge(), "4") == [(0.5, "Score: 3")]
    served.inference.says = ["Good."]
    error = await refused(served.score([dialog("4")], judge()))
    assert (type(error), error.message) == (
        WrongState,
        "the judge judge gave no score that can be read for an answer of dialog_generations[0]",
    )
    assert len(served.inference.asked) == 6


async def test_a_batch_is_judged_by_so_many_at_once_and_in_order() -> None:
    async with serving(RewardsConfig(models_at_once=3)) as served:
        scored = await served.score([dialog("a"), dialog(*"bcdefghijkl")], judge())
        assert [len(item.scored_generations) for item in scored] == [1, 11]
        assert served.inference.most_inside == 3


async def test_too_many_answers_in_all_are_refused(served: Served) -> None:
    many = [dialog(*["a"] * 4096) for _ in range(17)]
    error = await refused(served.score(many, model="reward"))
    assert error.details.violations == (Violation("dialog_generations", "at most 65536 answers in all"),)
