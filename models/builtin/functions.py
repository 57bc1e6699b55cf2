"""Dialogs with custom tools: a definition in the prompt, and a JSON call with the arguments of the user's words."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import entities, variety_orders
from .catalogue import FUNCTIONS, Function
from .dialogs import UNKNOWN, Dialog, Message, Side, answer, user
from .passages import state, value
from .phrasing import Phrasings, framed, order, phrasings, words
from .queries import maybe_system, topic, world_question
from .template import json_call
from .variety_tools import ODD_WORDS

GENERIC = phrasings("""
call {f} with {p}
use {f} with {p}
run {f} with {p}
?I need {f} with {p}
call the tool {f} with {p}
use the function {f} with {p}
execute {f} with {p}
run the tool {f}, {p}
start {f} with {p}
invoke {f} with {p}
""").extended(variety_orders.GENERIC)
# The first layout is the one of the inference service; the others keep the model from relying on its words.
LAYOUTS = (
    "Answer the user's question with the following functions where they help. If none of them does, say so.\n"
    "The functions, one JSON object per line:\n\n{d}\n\n"
    "To call a function, reply with nothing but a JSON object of this form, without variables:\n"
    '{"type": "function", "name": "NAME", "parameters": {"PARAMETER": VALUE}}\n'
    'Put "; " between the objects of several calls.',
    "You may use these functions. Reply with a JSON function call if one of them helps.\n\n{d}",
    "Here are the functions that can be called, in JSON:\n\n{d}\n\nWrite function calls as JSON.",
    "Functions:\n\n{d}",
)
ROOMS = words(
    "kitchen bedroom office hall garage cellar attic bathroom garden pantry library studio lobby workshop nursery "
    "balcony"
)
CURRENCIES = words("euros dollars pounds yen francs crowns rupees pesos zloty lira won rand")
PHRASES = phrasings("""
I will be late
the {n} meeting is at {x}
dinner is at {x}
the key is with {n}
I am in {n}
we meet at {x}
{n} has arrived
the {t} is broken
I call back at {x}
the {n} train is late
lunch is ready
we need more {f}
""")


def argument(rng: random.Random, kind: str, side: Side) -> str:
    """Return one argument of a tool."""
    if kind == "onoff":
        return rng.choice(("on", "off"))
    if kind == "count":
        return str(rng.randrange(2, 40))
    if kind == "whole":
        return value(rng, "number", side).replace(",", "")
    if kind == "currency":
        return rng.choice(CURRENCIES)
    if kind == "ticker":
        return entities.pick(
            rng, side.values, lambda source: "".join(source.sample("ABCDEFGHIJKLMNOPRSTUVWXZ", source.choice((3, 4))))
        )
    if kind == "thing":
        return rng.choice((rng.choice(entities.FOODS), value(rng, "product", side), value(rng, "name", side).lower()))
    if kind == "topic":
        return topic(rng, side)
    if kind == "phrase":
        slots = {
            "n": value(rng, "name", side),
            "x": value(rng, "clock", side),
            "t": rng.choice(ROOMS),
            "f": rng.choice(entities.FOODS),
        }
        return state(PHRASES.draw(rng, "train"), slots)
    if kind == "odd":
        return entities.pick(rng, side.values, odd)
    if kind == "name":
        return rng.choice(
            (
                value(rng, "name", side),
                value(rng, "name", side),
                "the " + rng.choice(ROOMS),
                f"{value(rng, 'name', side)} {value(rng, 'name', side)}",
                rng.choice(ROOMS),
            )
        )
    return value(rng, kind, side)


def odd(rng: random.Random) -> str:
    """Return what is hard to copy: a rare word, or an id of letters, digits and dashes as machines make them."""
    word = rng.choice(ODD_WORDS)
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.choice((2, 3, 4))))
    digits = str(rng.randrange(10, 10 ** rng.choice((2, 3, 4, 6))))
    mixed = "".join(rng.choice("abcdefghkmnpqrstuvwxyz0123456789") for _ in range(rng.choice((4, 5, 6, 8))))
    name = entities.invented(rng).lower()
    forms = (
        word,
        f"{word} {rng.choice(ODD_WORDS)}",
        f"{letters}-{digits}-{rng.choice('abcdwxyz')}",
        f"{letters[0]}{digits}{letters[1:]}",
        f"{mixed}-{digits}",
        mixed,
        f"{name}_{digits}.{rng.choice(('txt', 'csv', 'md', 'png'))}",
        f"{word}-{digits}",
        f"{name}-{word}",
        f"{digits}-{digits[::-1]}-{letters}",
        f"{name}.{word}",
        f"{letters}{rng.choice('/_.')}{mixed}",
    )
    return rng.choice(forms)


Request = tuple[str, dict[str, object]]


@dataclass(frozen=True)
class Instance:
    """A concrete tool with its definition, a request and the parameters that the request asks for.

    `again` draws another request for the same tool with its parameters.
    """

    name: str
    definition: dict[str, object]
    asked: str
    parameters: dict[str, object]
    family: str
    again: Callable[[random.Random, Side], Request]


def describe(
    name: str, description: str, parameters: list[tuple[str, str]], rng: random.Random, flat: bool
) -> dict[str, object]:
    """Return a definition in the flat or the nested form of JSON tool definitions."""
    notes = rng.random() < 0.5
    properties = {
        key: {"type": kind, **({"description": f"The {key.replace('_', ' ')}."} if notes else {})}
        for key, kind in parameters
    }
    properties = dict(sorted(properties.items()))
    if flat:
        return {"name": name, "description": description, "parameters": properties}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def semantic_request(kind: Function, keys: list[str], rng: random.Random, side: Side) -> Request:
    """Return a request in plain words for a tool whose parameters have the given names, and those parameters."""
    values = [argument(rng, part[1], side) for part in kind.parameters]
    more = variety_orders.FUNCTIONS.get(kind.names.partition("|")[0])
    phrased = kind.asked.extended(more) if more else kind.asked
    asked = order(rng, phrased, side.wording)
    for index, text in enumerate(values, start=1):
        asked = asked.replace(f"{{{index}}}", text)
    stripped = [text.removeprefix("the ") for text in values]
    typed = [int(text) if part[2] == "integer" else text for text, part in zip(stripped, kind.parameters, strict=True)]
    return asked, dict(sorted(zip(keys, typed, strict=True)))


def semantic(rng: random.Random, side: Side, flat: bool, source: tuple[Function, ...] = FUNCTIONS) -> Instance:
    """Return a tool with a meaning out of the source, asked for in plain words."""
    kind = rng.choice(source)
    name = rng.choice(kind.names.split("|"))
    keys = [rng.choice(names.split("|")) for names, _, _ in kind.parameters]
    again = partial(semantic_request, kind, keys)
    asked, parameters = again(rng, side)
    description = state(phrasings(kind.description).draw(rng, "train"), {})
    typed_keys = list(zip(keys, (part[2] for part in kind.parameters), strict=True))
    definition = describe(name, description, typed_keys, rng, flat)
    return Instance(name, definition, asked, parameters, kind.names, again)


def generic_request(name: str, typed_keys: list[tuple[str, str]], rng: random.Random, side: Side) -> Request:
    """Return a request that names a tool and each of its parameters, and those parameters."""
    kinds = ("name", "city", "code", "first", *(("odd", "odd", "odd") if side.wording == "train" else ()))
    values = [
        argument(rng, "whole" if kind == "integer" else rng.choice(kinds), side).removeprefix("the ")
        for _, kind in typed_keys
    ]
    parameters: dict[str, object] = {
        key: int(text) if kind == "integer" else text for text, (key, kind) in zip(values, typed_keys, strict=True)
    }
    link = rng.choice((" ", " ", " = ", ": ", " set to "))
    pairs = " and ".join(f"{key}{link}{text}" for (key, _), text in zip(typed_keys, values, strict=True))
    if side.wording == "train" and rng.random() < 0.5:
        pairs = spoken(rng, [(key, text) for (key, _), text in zip(typed_keys, values, strict=True)])
    return state(order(rng, GENERIC, side.wording), {"f": name, "p": pairs}), dict(sorted(parameters.items()))


def spoken(rng: random.Random, pairs: list[tuple[str, str]]) -> str:
    """Return names with their arguments in any order, as people say them in training alone."""
    rng.shuffle(pairs)
    form = rng.choice(
        (
            "{k} {t}",
            "{t} as {k}",
            "{t} for {k}",
            "{k}={t}",
            "the {k} {t}",
            "{k} is {t}",
            "{t} as the {k}",
            "{k} of {t}",
        )
    )
    parts = [form.replace("{k}", key).replace("{t}", text) for key, text in pairs]
    if len(parts) > 1 and rng.random() < 0.6:
        parts = [*parts[:-2], f"{parts[-2]}{rng.choice((' and ', ', and '))}{parts[-1]}"]
    return rng.choice((", ", ", ", "; ", " and ")).join(parts)


def generic(rng: random.Random, side: Side, flat: bool, counts: tuple[int, ...] = (1, 1, 2, 2, 3)) -> Instance:
    """Return a tool of an invented name, asked for by naming it and its arguments, about as many as the counts say."""
    name = (
        f"{value(rng, 'name', side).lower()}_{value(rng, 'name', side).lower()}"
        if rng.random() < 0.5
        else value(rng, "name", side).lower()
    )
    keys: list[str] = []
    while len(keys) < rng.choice(counts):
        key = (
            value(rng, "name", side).lower()
            if rng.random() < 0.6
            else rng.choice(("id", "name", "city", "count", "text", "date", "level", "size"))
        )
        keys += [key] if key not in keys else []
    typed_keys = [(key, rng.choice(("string", "string", "integer"))) for key in keys]
    again = partial(generic_request, name, typed_keys)
    asked, parameters = again(rng, side)
    return Instance(name, describe(name, f"Runs {name}.", typed_keys, rng, flat), asked, parameters, name, again)


def definitions_text(rng: random.Random, definitions: list[dict[str, object]]) -> str:
    """Return the user message that defines tools, in one of the layouts that prompt builders use."""
    usual = rng.random() < 0.25
    indent = None if usual or rng.random() < 0.92 else 2
    body = "\n".join(json.dumps(definition, indent=indent, ensure_ascii=False) for definition in definitions)
    if not usual and rng.random() < 0.15:
        body = json.dumps(definitions, indent=indent, ensure_ascii=False)
    return (LAYOUTS[0] if usual else rng.choice(LAYOUTS[1:])).replace("{d}", body)


def tool_set(rng: random.Random, side: Side) -> tuple[list[Instance], str]:
    """Return one to three tools, the wanted one first, and the text that defines them in random order."""
    flat = rng.random() < 0.2
    made = [
        (semantic if rng.random() < 0.75 else generic)(rng, side, flat) for _ in range(rng.choice((1, 1, 1, 1, 2, 2)))
    ]
    kept = list({instance.family: instance for instance in reversed(made)}.values())
    listed = [instance.definition for instance in kept]
    rng.shuffle(listed)
    return kept[::-1], definitions_text(rng, listed)


def called(instance: Instance) -> list[Message]:
    """Return the request for a tool and its call."""
    return [user(instance.asked), answer(json_call(instance.name, instance.parameters), "<|eom_id|>")]


def calling(rng: random.Random, side: Side) -> Dialog:
    """Return a request that one of the defined tools serves, answered by its call; sometimes another call precedes."""
    tools, text = tool_set(rng, side)
    wanted, *others = tools
    messages: list[Message] = []
    if others and rng.random() < 0.5:
        content, reply = outcome(rng, side)
        messages = [*called(others[0]), Message("ipython", content), answer(reply)]
    return Dialog("tool_custom", (*messages, *called(wanted)), maybe_system(rng), text)


def declining(rng: random.Random, side: Side) -> Dialog:
    """Return a question that none of the defined tools serves."""
    _, text = tool_set(rng, side)
    asked = world_question(rng, side, with_tools=True)
    if any(
        word in asked.lower()
        for word in ("people live", "population", "inhabitants", "price", "how much", "weather", "from ")
    ):
        asked = f"Who wrote {value(rng, 'title', side)}"
    asked += "?"
    if side.wording == "train" and rng.random() < 0.4:
        asked = framed(rng, Phrasings((asked[:1].lower() + asked[1:-1],)), Phrasings(()))
    return Dialog("tool_none", (user(asked), answer(UNKNOWN)), maybe_system(rng), text)


def outcome(rng: random.Random, side: Side) -> tuple[str, str]:
    """Return what a custom tool gave back, a JSON object or a plain value, and the line that tells it."""
    result: dict[str, object] = {}
    for _ in range(rng.choice((1, 2, 2, 3))):
        key = rng.choice(
            (
                "status",
                "temperature",
                "price",
                "sky",
                "total",
                "count",
                "result",
                "state",
                "date",
                "name",
                "wind",
                "id",
                "place",
                value(rng, "name", side).lower(),
            )
        )
        kind = rng.choice(("number", "name", "colour", "day", "clock", "code", "city"))
        made = value(rng, kind, side) if kind not in ("colour", "day") else rng.choice(entities.COLOURS)
        result[key] = int(made.replace(",", "")) if kind == "number" else made
    content = json.dumps(result, ensure_ascii=False)
    told = ", ".join(f"{key} is {content_value}" for key, content_value in result.items())
    reply = f"The result: {told}."
    if rng.random() < 0.25:
        content = value(rng, rng.choice(("number", "name", "clock", "city", "code")), side)
        reply = f"The result: {content}."
    return content, reply


def reporting(rng: random.Random, side: Side) -> Dialog:
    """Return a custom tool's result told in one line."""
    tools, text = tool_set(rng, side)
    content, reply = outcome(rng, side)
    messages = (*called(tools[0]), Message("ipython", content), answer(reply))
    return Dialog("tool_result", messages, maybe_system(rng), text)
