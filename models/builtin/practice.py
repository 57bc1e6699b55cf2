"""Dialogs that only training sees: several answers over one prompt, so that a larger part of each batch teaches.

Most tokens of an ordinary dialog are passages, tool definitions or system text, which are never a target. Here one
such prompt serves three to six answers.
"""

from __future__ import annotations

import random

from . import entities, facts
from .coding import computed, computing
from .dialogs import NOT_FOUND, UNKNOWN, Dialog, Message, Side, answer, user
from .functions import Instance, definitions_text, generic, outcome, semantic, tool_set
from .guard import conversation, verdict
from .passages import Fact, cited, collection, document_id, grouped, shuffled
from .phrasing import capitalized, question
from .queries import MEMORY, SEARCH, maybe_system, search_result, system, toolbox
from .recall import asking, telling
from .template import GUARD_CATEGORIES, guard_text, json_call, with_context
from .variety_tools import TOOLS

COMMON_WORDS = sorted({word for name, _ in facts.ATTRIBUTES for word in name.split()} | {*entities.COLOURS})


def interview(rng: random.Random, side: Side) -> Dialog:
    """Return questions about every fact of some passages, among them one whose answer is not there."""
    wanted, others = collection(rng, side, (2, 2, 3, 3, 4))
    known = rng.sample([wanted, *others], len(others) + 1)
    absent = known.pop() if len(known) > 2 and rng.random() < 0.6 else None
    chunks = grouped(rng, shuffled(rng, known))
    asked: list[Fact] = [*known, *([absent] if absent else [])]
    rng.shuffle(asked)
    messages: list[Message] = []
    for made in asked[:5]:
        text = question(rng, made.direct, made.indirect, side.wording)
        reply = NOT_FOUND if made is absent else cited(chunks, made)
        messages += [user(text if messages else with_context(text, chunks)), answer(reply)]
    return Dialog("rag_follow_up", tuple(messages), maybe_system(rng))


def matching(rng: random.Random, side: Side) -> Dialog:
    """Return look-ups in lines of random words: the line that holds all words of the query, or that there is none."""
    names = [entities.pick(rng, side.values, entities.invented).lower() for _ in range(5)]
    pool = [*names, *rng.sample(COMMON_WORDS, 4)]
    lines = [rng.sample(pool, rng.randrange(3, 7)) for _ in range(rng.randrange(2, 6))]
    texts = [capitalized(" ".join(line)) + "." for line in lines]
    shared = document_id(rng) if rng.random() < 0.15 else ""
    chunks = [(shared or document_id(rng), text) for text in texts]
    messages: list[Message] = []
    for _ in range(rng.randrange(3, 6)):
        line = rng.choice(lines)
        source = line if rng.random() < 0.8 else pool
        query = rng.sample(source, min(len(source), rng.choice((2, 2, 3))))
        if rng.random() < 0.5:
            query.sort(key=source.index)
        fitting = [index for index, other in enumerate(lines) if {*query} <= {*other}]
        if len(fitting) > 1:
            continue
        reply = f"[{chunks[fitting[0]][0]}] {chunks[fitting[0]][1]}" if fitting else NOT_FOUND
        text = capitalized(" ".join(query)) + "?"
        messages += [user(text if messages else with_context(text, chunks)), answer(reply)]
    if not messages:
        return matching(rng, side)
    return Dialog("rag_follow_up", tuple(messages))


def programs(rng: random.Random, side: Side) -> Dialog:
    """Return computations one after the other with their results, and sometimes a search between them."""
    section = system(rng, () if rng.random() < 0.5 else toolbox(rng, rng.choice((SEARCH, MEMORY))), ipython=True)
    messages: list[Message] = []
    for _ in range(rng.choice((2, 3, 3, 4))):
        searched = SEARCH in section.tools and MEMORY in section.tools and rng.random() < 0.25
        messages += (search_result if searched else computed)(rng, side).messages
    return Dialog("tool_code", (*messages, *computing(rng, side).messages), section)


def errands(rng: random.Random, side: Side) -> Dialog:
    """Return several requests for the same custom tools with their results, and sometimes one that none serves."""
    tools, text = tool_set(rng, side)
    messages: list[Message] = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        chosen = rng.choice(tools)
        content, reply = outcome(rng, side)
        messages += [*requested(rng, side, chosen), Message("ipython", content), answer(reply)]
    if rng.random() < 0.15:
        messages += [user(f"Who wrote {entities.pick(rng, side.values, entities.title)}?"), answer(UNKNOWN)]
    else:
        messages += requested(rng, side, rng.choice(tools))
    return Dialog("tool_custom", tuple(messages), maybe_system(rng), text)


def dictation(rng: random.Random, side: Side) -> Dialog:
    """Return two or three requests for one or two tools with several arguments, in any order and hard to copy."""
    flat = rng.random() < 0.5
    made = [
        semantic(rng, side, flat, TOOLS) if rng.random() < 0.65 else generic(rng, side, flat, (2, 2, 3))
        for _ in range(rng.choice((1, 1, 1, 2)))
    ]
    tools = list({tool.name: tool for tool in made}.values())
    text = definitions_text(rng, [tool.definition for tool in tools])
    messages: list[Message] = []
    for _ in range(rng.choice((1, 1, 1, 2)) if len(tools) < 2 else 1):
        done = rng.choice(("done", "ok", "saved", "true", "0"))
        messages += requested(rng, side, rng.choice(tools))
        messages += [Message("ipython", done), answer(f"The result: {done}.")]
    return Dialog("tool_custom", (*messages, *requested(rng, side, rng.choice(tools))), maybe_system(rng), text)


def verdicts(rng: random.Random, side: Side) -> Dialog:
    """Return a safety task and further conversations to judge by the same categories, each in a turn of its own."""
    codes = list(GUARD_CATEGORIES)
    if rng.random() < 0.7:
        codes = sorted(rng.sample(codes, rng.choice((3, 4, 5, 7))), key=codes.index)
    role = "user" if rng.random() < 0.7 else "assistant"
    messages: list[Message] = []
    for _ in range(rng.choice((4, 5, 6))):
        code, unsafe = rng.choice(codes), rng.random() < 0.6
        text = guard_text(role, conversation(rng, side, role, code, unsafe), codes)
        if messages:
            text = text[text.index("<BEGIN CONVERSATION>") : text.index("<END CONVERSATION>")] + "<END CONVERSATION>"
        messages += [user(text), answer(verdict(code, unsafe))]
    return Dialog("guard", tuple(messages))


def reminders(rng: random.Random, side: Side) -> Dialog:
    """Return two to four things that the user tells, and questions for each of them in any order."""
    messages, facts = telling(rng, side, rng.choice((2, 3, 4)))
    for made in rng.sample(facts, len(facts)):
        messages += asking(rng, side, made)
    return Dialog("multi_turn", tuple(messages), maybe_system(rng))


def requested(rng: random.Random, side: Side, tool: Instance) -> list[Message]:
    """Return a new request for a tool that is already defined, and its call."""
    asked, parameters = tool.again(rng, side)
    return [user(asked), answer(json_call(tool.name, parameters), "<|eom_id|>")]
