"""The generated dialogs keep the formats that the services rely on, on every side of the split."""

import ast
import json
import random
import re

import pytest

from models.builtin.dialogs import NOT_FOUND, TRAINING, UNSEEN_VALUES, UNSEEN_WORDING, Dialog, Side
from models.builtin.skills import SKILLS, Skill, draw
from models.builtin.template import CONTEXT_BEGIN, CONTEXT_END

BY_NAME = {skill.name: skill for skill in SKILLS}
SIDES = (TRAINING, UNSEEN_VALUES, UNSEEN_WORDING)


def many(skill: Skill, side: Side, count: int = 60) -> list[Dialog]:
    rng = random.Random(f"{skill.name}{side}")
    return [draw(rng, side, skill) for _ in range(count)]


@pytest.mark.parametrize("side", SIDES, ids=str)
@pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)
def test_every_slot_is_filled_and_every_dialog_ends_with_an_answer(skill: Skill, side: Side) -> None:
    for dialog in many(skill, side):
        text = "\n".join(message.content for message in dialog.messages)
        assert not re.search(r"\{[a-z0-9]\}|\[[^\]\n]*\|", text), text
        assert dialog.messages[-1].role == "assistant"
        assert dialog.answer


@pytest.mark.parametrize("side", SIDES, ids=str)
def test_an_answer_from_passages_cites_a_document_and_quotes_it(side: Side) -> None:
    for dialog in many(BY_NAME["rag"], side):
        lines = dialog.messages[0].content.split("\n")
        passages = lines[lines.index(CONTEXT_BEGIN) + 1 : lines.index(CONTEXT_END)]
        source, quoted = dialog.answer.split("] ", 1)
        assert [line for line in passages if line.startswith(source + "]") and quoted in line]


def test_a_missing_answer_is_said_to_be_missing() -> None:
    assert {dialog.answer for dialog in many(BY_NAME["rag_missing"], TRAINING)} == {NOT_FOUND}


@pytest.mark.parametrize("name", ["tool_search", "tool_memory"])
def test_a_search_copies_its_query_from_the_request(name: str) -> None:
    for dialog in many(BY_NAME[name], UNSEEN_WORDING):
        call = re.fullmatch(r'<\|python_tag\|>(\w+)\.call\(query="([^"]+)"\)', dialog.answer)
        assert call is not None
        assert dialog.system is not None
        assert call[1] in dialog.system.tools
        assert call[2].lower() in dialog.messages[-2].content.lower()
        assert dialog.messages[-1].end == "<|eom_id|>"


def test_code_is_python() -> None:
    for dialog in many(BY_NAME["tool_code"], TRAINING):
        assert ast.parse(dialog.answer.removeprefix("<|python_tag|>")).body


def test_a_custom_call_names_a_defined_tool_and_its_parameters() -> None:
    for dialog in many(BY_NAME["tool_custom"], UNSEEN_VALUES):
        call = json.loads(dialog.answer.removeprefix("<|python_tag|>"))
        assert call["type"] == "function"
        assert json.dumps(call["name"]) in dialog.definitions
        assert all(json.dumps(name) in dialog.definitions for name in call["parameters"])


def test_a_verdict_has_the_format_of_llama_guard() -> None:
    verdicts = {dialog.answer for dialog in many(BY_NAME["guard"], TRAINING, 300)}
    assert "safe" in verdicts
    assert all(re.fullmatch(r"safe|unsafe\nS([1-9]|1[0-4])", verdict) for verdict in verdicts)
