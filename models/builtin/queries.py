"""Dialogs that call a server-side search: the web or the memory bank, with the topic copied from the user's words."""

from __future__ import annotations

import json
import random
import re

from . import entities, facts, variety_orders, variety_world
from .dialogs import UNKNOWN, Dialog, Message, Side, System, answer, plain, user
from .passages import fact, news, state, subject, value
from .phrasing import GREETINGS, INDIRECT, Phrasings, capitalized, framed, order, phrasings, question, side_of
from .template import builtin_call

SEARCH = "brave_search"
MEMORY = "memory_search"
WOLFRAM = "wolfram_alpha"

WEB_ORDERS = phrasings("""
search the web for {q}
search for {q}
look up {q}
google {q}
find {q} on the web
look {q} up
search online for {q}
run a web search for {q}
look for {q} online
?I need a web search for {q}
do a [quick |]search [for|on] {q}
find [me |][some |]information [about|on] {q}
search the internet for {q}
check the web for {q}
?what does the web say about {q}
look on the internet for {q}
find [me |]{q}
see what you can find [about|on] {q}
get me [the latest on|information about] {q}
use the search tool [to find|for] {q}
look online for {q}
use [the web|brave search] to find {q}
web search {q}
?is there anything online about {q}
make a search about {q}
""").extended(variety_orders.WEB)
MEMORY_ORDERS = phrasings("""
search [my|the] memory for {q}
search my notes for {q}
look in my notes for {q}
check my notes for {q}
search the memory bank for {q}
?what did I [save|write|note] about {q}
?what do my notes say about {q}
look in [my|the] memory bank for {q}
find {q} in my notes
look through my documents for {q}
check [my|the] memory for {q}
search my [documents|files] for {q}
find {q} in [my|the] [memory bank|documents]
?what is in my notes about {q}
?did I [save|store] anything about {q}
look up {q} in my [notes|documents|memory]
go through my notes for {q}
?what do I have in memory about {q}
search my saved notes for {q}
check the memory bank for {q}
?what have I saved about {q}
use my notes to find {q}
check my [documents|files] for {q}
?do my notes say anything about {q}
search my own documents for {q}
""").extended(variety_orders.MEMORY)
TOPICS = phrasings("""
{e}
{e}
the {a} of {e}
the {a} of {e}
{a} of {e}
{n} {t}s in {c}
{n} {t}s
{f} in {c}
the best {t} in {c}
{p}
news about {e}
the {t} in {c}
{n}
{f} recipes
the latest news from {c}
cheap {t}s in {c}
how to clean a {n} {t}
how to get to {e}
{k} from {p}
the trip to {c}
the {f} recipe
the {n} {k}
opening hours of {e}
the price of the {n} {t}
{t} repair in {c}
the {d} meeting
the weather in {c}
tickets for {e}
flights from {c} to {n}
the history of {e}
""")
WORLD_ASKED = phrasings("""
who is {p}
what is {n}
what is the latest version of {n}
how is the weather in {c}
what happened in {c} on {d}
who won the {v} in {c}
where can I buy a {n} {t}
is {e} open on {d}
what is new in {c}
how do I get from {c} to {n}
what is the news about {e}
is there a {t} near {c}
how far is it from {c} to {n}
what time is it in {c}
which films are on in {c}
""")
RESULT_KEYS = (
    ("title", "url", "description"),
    ("title", "url", "content"),
    ("title", "description"),
    ("url", "title", "description"),
)


def topic(rng: random.Random, side: Side) -> str:
    """Return what somebody might search for: a name, an attribute of something, or a few words."""
    nouns = (*facts.PLACE_TYPES, *facts.THING_TYPES)
    slots = {
        "e": subject(rng, "any", side),
        "a": rng.choice((rng.choice(facts.ATTRIBUTES)[0], rng.choice(facts.PERSON_ROLES))),
        "n": value(rng, "name", side),
        "t": rng.choice(nouns).replace("_", " "),
        "c": value(rng, "city", side),
        "f": value(rng, "food", side),
        "p": value(rng, "person", side),
        "d": rng.choice(entities.DAYS),
        "k": rng.choice(("letter", "photos", "invoice", "notes", "code", "contract", "books", "songs")),
    }
    return state(TOPICS.draw(rng, "train"), slots)


def world_question(rng: random.Random, side: Side, with_tools: bool = False) -> str:
    """Return a question about the world without greeting or mark, which nothing in the prompt answers.

    With tools, training sees none of the further questions that a custom tool might serve.
    """
    if side.wording == "train" and rng.random() < 0.35:
        return further_question(rng, side, with_tools)
    if rng.random() < 0.55:
        made = fact(rng, side)[0]
        return capitalized(made.direct.draw(rng, side.wording))
    slots = {
        "e": subject(rng, "any", side),
        "n": value(rng, "name", side),
        "c": value(rng, "city", side),
        "p": value(rng, "person", side),
        "d": rng.choice(entities.DAYS),
        "v": rng.choice(facts.EVENTS),
        "t": rng.choice(facts.THING_TYPES),
    }
    return capitalized(state(WORLD_ASKED.draw(rng, side.wording), slots))


def further_question(rng: random.Random, side: Side, with_tools: bool) -> str:
    """Return one of the questions about the world that training alone sees."""
    source = variety_world.ASKED if with_tools or rng.random() < 0.85 else variety_world.OPEN
    slots = {
        "e": subject(rng, "any", side),
        "n": value(rng, "name", side),
        "c": value(rng, "city", side),
        "p": value(rng, "person", side),
        "d": rng.choice(entities.DAYS),
        "y": value(rng, "year", side),
        "f": rng.choice(entities.FOODS),
        "t": rng.choice(facts.THING_TYPES),
        "v": rng.choice(facts.EVENTS),
    }
    return re.sub(r"\ba(?= [aeio])", "an", capitalized(state(rng.choice(source.patterns), slots)))


def dates(rng: random.Random) -> str:
    """Return today's date as the system section writes it, or nothing."""
    if rng.random() < 0.35:
        return ""
    return f"{rng.randrange(1, 29):02d} {rng.choice(entities.MONTHS)} {rng.randrange(2024, 2032)}"


INSTRUCTIONS = (
    "",
    "",
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "Be brief.",
    "Answer in one sentence.",
    "You are a friendly guide.",
    "Help the user with the tools.",
    "You answer questions from documents.",
)


def system(rng: random.Random, tools: tuple[str, ...] = (), ipython: bool = False) -> System:
    """Return a system section with these tools and varied dates and instructions."""
    return System(tools, ipython or bool(tools), dates(rng), rng.choice(INSTRUCTIONS))


def maybe_system(rng: random.Random) -> System | None:
    """Return a system section without tools, or none at all."""
    return system(rng) if rng.random() < 0.4 else None


def toolbox(rng: random.Random, *needed: str) -> tuple[str, ...]:
    """Return the needed tools and sometimes others, in random order."""
    tools = [*needed, *(tool for tool in (SEARCH, MEMORY, WOLFRAM) if tool not in needed and rng.random() < 0.3)]
    rng.shuffle(tools)
    return tuple(tools)


def quoted(text: str) -> str:
    """Return text as it stands inside a double-quoted argument."""
    return text.replace('"', "'")


def web(rng: random.Random, side: Side) -> Dialog:
    """Return a request that needs the web: an order with a topic, or a question whose words are the query."""
    if rng.random() < 0.5:
        wanted = topic(rng, side)
        asked = state(order(rng, WEB_ORDERS, side.wording), {"q": wanted})
        return plain(
            "tool_search", asked, builtin_call(SEARCH, quoted(wanted)), system(rng, toolbox(rng, SEARCH)), "<|eom_id|>"
        )
    asked, wanted = wrapped_question(rng, side)
    return plain(
        "tool_search", asked, builtin_call(SEARCH, quoted(wanted)), system(rng, toolbox(rng, SEARCH)), "<|eom_id|>"
    )


def wrapped_question(rng: random.Random, side: Side) -> tuple[str, str]:
    """Return a question about the world as people ask it, and its core without greeting, frame or mark."""
    if rng.random() < 0.3:
        made = fact(rng, side)[0]
        core = made.indirect.draw(rng, side.wording)
        asked = f"{side_of(rng, GREETINGS, side.wording)}{side_of(rng, INDIRECT, side.wording)} {core}"
        return (capitalized(asked) if rng.random() < 0.8 else asked) + rng.choice(("?", "?", ".", "")), core
    core = world_question(rng, side)
    if rng.random() < 0.25:
        core = core[:1].lower() + core[1:]
    return side_of(rng, GREETINGS, side.wording) * (rng.random() < 0.6) + core + rng.choice(("?", "?", "?", "")), core


def memory(rng: random.Random, side: Side) -> Dialog:
    """Return a request that names the user's notes or memory, answered by a call of the memory search."""
    wanted = topic(rng, side)
    asked = state(order(rng, MEMORY_ORDERS, side.wording), {"q": wanted})
    return plain(
        "tool_memory", asked, builtin_call(MEMORY, quoted(wanted)), system(rng, toolbox(rng, MEMORY)), "<|eom_id|>"
    )


def unknown(rng: random.Random, side: Side) -> Dialog:
    """Return a question about the world without any source, answered by saying so."""
    asked, _ = wrapped_question(rng, side)
    if side.wording == "train" and rng.random() < 0.4:
        core = world_question(rng, side)
        asked = framed(rng, Phrasings((core[:1].lower() + core[1:],)), Phrasings(()))
    return plain("tool_none", asked, UNKNOWN, maybe_system(rng))


def search_result(rng: random.Random, side: Side) -> Dialog:
    """Return a search with its result, answered by the description of the first hit."""
    made = fact(rng, side)[0]
    asked = question(rng, made.direct, made.indirect, side.wording)
    wanted = topic(rng, side) if rng.random() < 0.5 else capitalized(made.direct.draw(rng, side.wording))
    tool = rng.choice((SEARCH, SEARCH, MEMORY))
    keys = rng.choice(RESULT_KEYS)
    hits = [
        _hit(rng, side, keys, made.statement if index == 0 else news(rng, side))
        for index in range(rng.choice((1, 1, 2)))
    ]
    result = json.dumps({"query": wanted, "top_k": hits}, ensure_ascii=False)
    call = answer(builtin_call(tool, quoted(wanted)), "<|eom_id|>", learned=False)
    if rng.random() < 0.1:
        failure = rng.choice(("timed out", "no api key", "host not found", "access denied", "quota exceeded"))
        failure = f"{failure} {value(rng, 'number', side)}"
        result, reply = json.dumps({"error": failure}), f"The tool failed: {failure}."
        return with_result(asked, call, result, reply, system(rng, toolbox(rng, tool)))
    if rng.random() < 0.2:
        result = made.statement
    reply = f"I found this: {made.statement}"
    return with_result(asked, call, result, reply, system(rng, toolbox(rng, tool)))


def _hit(rng: random.Random, side: Side, keys: tuple[str, ...], text: str) -> dict[str, str]:
    name = value(rng, "name", side)
    filled = {
        "title": rng.choice((name, f"{name} guide", f"About {name}")),
        "url": f"https://{name.lower()}.example/{rng.randrange(99)}",
    }
    return {key: filled.get(key, text) for key in keys}


def with_result(asked: str, call: Message, result: str, reply: str, section: System | None) -> Dialog:
    """Return a dialog in which a tool was called and its result has to be told."""
    messages = (user(asked), call, Message("ipython", result), answer(reply))
    return Dialog("tool_result", messages, section)
