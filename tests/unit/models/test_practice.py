"""The dialogs that only training sees: each of their answers is right by the prompt above it."""

import json
import random
import re

import pytest

from models.builtin.catalogue import Function
from models.builtin.dialogs import NOT_FOUND, TRAINING, Dialog
from models.builtin.skills import MIXTURE, PRACTICE, SKILLS, Skill, draw
from models.builtin.template import CONTEXT_BEGIN, CONTEXT_END
from models.builtin.variety_tools import TOOLS

BY_NAME = {skill.name: skill for skill in PRACTICE}


def many(name: str, count: int = 80) -> list[Dialog]:
    rng = random.Random(name)
    return [draw(rng, TRAINING, BY_NAME[name]) for _ in range(count)]


def passages(dialog: Dialog) -> list[str]:
    lines = dialog.messages[0].content.split("\n")
    return lines[lines.index(CONTEXT_BEGIN) + 1 : lines.index(CONTEXT_END)]


def answers(dialog: Dialog) -> list[tuple[str, str]]:
    """Return the pairs of a question and its answer; the context below the first question is left out."""
    texts = [message.content for message in dialog.messages]
    asked = [text.split("\n" + CONTEXT_BEGIN)[0] for text in texts[::2]]
    return list(zip(asked, texts[1::2], strict=True))


def test_the_mixture_is_what_is_evaluated_and_what_is_only_practised() -> None:
    assert MIXTURE == SKILLS + PRACTICE


@pytest.mark.parametrize("name", ["interview", "matching"])
def test_every_answer_over_passages_quotes_one_of_them_or_says_that_it_is_not_there(name: str) -> None:
    replies = [(dialog, reply) for dialog in many(name) for _, reply in answers(dialog)]
    for dialog, reply in replies:
        if reply != NOT_FOUND:
            source, quoted = reply.split("] ", 1)
            assert [line for line in passages(dialog) if line.startswith(source + "]") and quoted in line]
    assert 0.05 < sum(reply == NOT_FOUND for _, reply in replies) / len(replies) < 0.4


def test_a_line_of_random_words_is_quoted_only_when_it_alone_holds_the_whole_query() -> None:
    for dialog in many("matching"):
        for asked, reply in answers(dialog):
            wanted = {*asked.lower().rstrip("?").split()}
            fitting = [
                line for line in passages(dialog) if wanted <= {*line.split("] ")[1].lower().rstrip(".").split()}
            ]
            assert [reply] == (fitting or [NOT_FOUND])


def test_every_call_in_a_row_of_errands_uses_a_defined_tool_with_its_parameters() -> None:
    for dialog in many("errands"):
        calls = [message.content for message in dialog.messages if message.content.startswith("<|python_tag|>{")]
        assert len(calls) >= 1
        for call in (json.loads(text.removeprefix("<|python_tag|>")) for text in calls):
            assert json.dumps(call["name"]) in dialog.definitions
            assert all(json.dumps(key) in dialog.definitions for key in call["parameters"])


def test_every_argument_of_dictation_is_in_the_request_as_it_was_written() -> None:
    several = 0
    for dialog in many("dictation", 200):
        for asked, call in zip(dialog.messages, dialog.messages[1:], strict=False):
            if asked.role == "user":
                parameters = json.loads(call.content.removeprefix("<|python_tag|>"))["parameters"]
                assert all(str(text) in asked.content for text in parameters.values())
                assert list(parameters) == sorted(parameters)
                several += len(parameters) > 2
    assert several > 150


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.names)
def test_a_tool_for_practice_is_asked_for_with_each_argument_once_and_in_several_orders(tool: Function) -> None:
    orders = {tuple(re.findall(r"{(\d)}", pattern)) for pattern in tool.asked.patterns}
    assert {tuple(sorted(order)) for order in orders} == {tuple(str(n + 1) for n in range(len(tool.parameters)))}
    assert len(orders) > 1


def test_every_verdict_in_a_row_is_safe_or_of_a_category_that_the_task_lists() -> None:
    for dialog in many("verdicts"):
        tasks, verdicts = (dialog.messages[start::2] for start in (0, 1))
        listed = set(re.findall(r"^(S\d+): ", tasks[0].content, re.MULTILINE))
        assert all(task.content.count("<BEGIN CONVERSATION>") == 1 for task in tasks)
        assert all(task.content.startswith("<BEGIN CONVERSATION>\n\n") for task in tasks[1:])
        violated = {verdict.content.removeprefix("unsafe\n") for verdict in verdicts} - {"safe"}
        assert violated <= listed


def test_everything_that_was_told_is_asked_for_once() -> None:
    for dialog in many("reminders"):
        replies = [message.content for message in dialog.messages[1::2]]
        noted = {reply for reply in replies if reply.startswith(("Nice to meet you", "I will remember"))}
        asked = [reply for reply in replies if reply.startswith(("Your ", "You live"))]
        values = {reply.rstrip(".").split(" ")[-1] for reply in asked}
        assert asked
        assert all(note == "I will remember that." or note.rstrip(".").split(" ")[-1] in values for note in noted)


@pytest.mark.parametrize("skill", PRACTICE, ids=lambda skill: skill.name)
def test_a_dialog_for_practice_has_several_answers_to_learn(skill: Skill) -> None:
    learned = [
        sum(message.role == "assistant" and message.learned for message in dialog.messages)
        for dialog in many(skill.name)
    ]
    assert sum(learned) / len(learned) > 2.5
