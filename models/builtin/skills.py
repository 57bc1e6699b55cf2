"""The mixture of skills: which dialogs are drawn how often, for training and for each table of the evaluation."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass

from .coding import computed, computing
from .dialogs import Dialog, Side
from .functions import calling, declining, reporting
from .guard import judging
from .passages import follow_up, miss, retrieval, summary
from .practice import dictation, errands, interview, matching, programs, reminders, verdicts
from .queries import maybe_system, memory, search_result, system, toolbox, unknown, web
from .recall import remembering
from .small_talk import chatting

Generator = Callable[[random.Random, Side], Dialog]


@dataclass(frozen=True)
class Skill:
    """One source of dialogs with its share of the training mixture."""

    name: str
    share: float
    generate: Generator


def told_result(rng: random.Random, side: Side) -> Dialog:
    """Return a dialog that tells the result of one kind of tool."""
    return rng.choice((computed, search_result, reporting))(rng, side)


def no_tool(rng: random.Random, side: Side) -> Dialog:
    """Return a question that nothing in the prompt can answer, with or without unfit tools."""
    return (declining if rng.random() < 0.5 else unknown)(rng, side)


SKILLS: tuple[Skill, ...] = (
    Skill("rag", 0.15, retrieval),
    Skill("rag_missing", 0.12, miss),
    Skill("rag_follow_up", 0.05, follow_up),
    Skill("tool_search", 0.06, web),
    Skill("tool_memory", 0.03, memory),
    Skill("tool_code", 0.05, computing),
    Skill("tool_custom", 0.10, calling),
    Skill("tool_none", 0.04, no_tool),
    Skill("tool_result", 0.04, told_result),
    Skill("multi_turn", 0.03, remembering),
    Skill("summary", 0.02, summary),
    Skill("guard", 0.02, judging),
    Skill("small_talk", 0.06, chatting),
)

# What the evaluation never asks: several of the answers above over one prompt.
PRACTICE: tuple[Skill, ...] = (
    Skill("interview", 0.16, interview),
    Skill("matching", 0.05, matching),
    Skill("programs", 0.03, programs),
    Skill("errands", 0.08, errands),
    Skill("dictation", 0.05, dictation),
    Skill("verdicts", 0.05, verdicts),
    Skill("reminders", 0.02, reminders),
)
MIXTURE = SKILLS + PRACTICE

# The generators of these leave the system section open; any tools there must not distract from the answer.
FREE_OF_SYSTEM = ("rag", "rag_missing", "rag_follow_up", "small_talk", "summary")


def draw(rng: random.Random, side: Side, skill: Skill | None = None) -> Dialog:
    """Return one dialog of the mixture, or of one skill; dialogs without a system section sometimes get one."""
    chosen = skill or rng.choices(MIXTURE, [entry.share for entry in MIXTURE])[0]
    dialog = chosen.generate(rng, side)
    if dialog.system is None and chosen.name in FREE_OF_SYSTEM and rng.random() < 0.4:
        section = maybe_system(rng) if rng.random() < 0.7 else system(rng, toolbox(rng), ipython=rng.random() < 0.5)
        dialog = dataclasses.replace(dialog, system=section)
    return dialog
