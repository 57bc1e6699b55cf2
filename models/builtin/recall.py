"""Dialogs of several turns: the user tells something, talks on, and asks for it later."""

from __future__ import annotations

import random
from dataclasses import dataclass

from . import variety
from .dialogs import Dialog, Message, Side, answer, user
from .passages import filled, state, value
from .phrasing import GREETINGS, Phrasings, capitalized, phrasings, question, side_of
from .queries import maybe_system
from .small_talk import exchange

NAME_TOLD = phrasings("""
my name is {v}
I am {v}
I'm {v}
this is {v}
call me {v}
you can call me {v}
{v} here
my name's {v}
people call me {v}
the name is {v}
I am called {v}
they call me {v}
it's {v} speaking
[hi|hello], {v} is my name
just call me {v}
""").extended(variety.NAME_TOLD)
NAME_ASKED = phrasings("""
what is my name
what's my name
who am I
do you [know|remember] my name
what was my name
what am I called
say my name
can you tell me my name
tell me my name
which name did I [give|tell] you
how am I called
what did I say my name was
do you remember who I am
remember my name
what is the name I gave you
what's my name again
what do people call me
please repeat my name
my name is what
did I tell you my name
""").extended(variety.NAME_ASKED)
THINGS: tuple[tuple[str, str], ...] = (
    ("locker number", "number"),
    ("room number", "number"),
    ("lucky number", "number"),
    ("seat number", "number"),
    ("account number", "number"),
    ("flight number", "code"),
    ("order number", "code"),
    ("booking code", "code"),
    ("door code", "code"),
    ("pin", "number"),
    ("password", "code"),
    ("licence plate", "code"),
    ("phone number", "phone"),
    ("favourite colour", "colour"),
    ("favourite food", "food"),
    ("dog", "first"),
    ("cat", "first"),
    ("sister", "first"),
    ("brother", "first"),
    ("boss", "person"),
    ("teacher", "person"),
    ("doctor", "person"),
    ("home town", "city"),
    ("city", "city"),
    ("birthday", "date"),
    ("hotel", "name"),
    ("team", "name"),
    ("company", "name"),
    ("gate", "number"),
    ("platform", "number"),
    ("meeting time", "clock"),
    ("train", "code"),
    ("code word", "name"),
    ("budget", "price"),
    ("badge number", "number"),
    ("friend", "first"),
    ("bike", "product"),
)
THING_TOLD = phrasings("""
my {a} is {v}
please remember that my {a} is {v}
remember that my {a} is {v}
remember my {a}: {v}
note that my {a} is {v}
my {a} is {v}, please remember it
keep in mind that my {a} is {v}
just so you know, my {a} is {v}
I want you to remember that my {a} is {v}
don't forget that my {a} is {v}
for later: my {a} is {v}
by the way, my {a} is {v}
you should know that my {a} is {v}
please note: my {a} is {v}
{v} is my {a}
""").extended(variety.THING_TOLD)
THING_ASKED = phrasings("""
what is my {a}
what's my {a}
what was my {a}
do you remember my {a}
tell me my {a}
which {a} did I [give|tell] you
what was my {a} again
what did I say my {a} was
remind me of my {a}
what is my {a} again
can you repeat my {a}
I forgot my {a}, what is it
what {a} did I [mention|give you]
do you know my {a}
say my {a} again
""").extended(variety.THING_ASKED)
CALLED_TOLD = phrasings("""
my {a} is called {v}
I have a {a} called {v}
my {a} is named {v}
I have a {a} named {v}
my {a}'s name is {v}
""").extended(variety.CALLED_TOLD)
CALLED_ASKED = phrasings("""
what is my {a} called
what is the name of my {a}
what's my {a}'s name
what is my {a}'s name
how is my {a} called
""").extended(variety.CALLED_ASKED)
CALLED = (
    "dog",
    "cat",
    "sister",
    "brother",
    "horse",
    "parrot",
    "daughter",
    "son",
    "boat",
    "friend",
    "rabbit",
    "band",
    "house",
    "wife",
    "aunt",
)
LIVES_TOLD = phrasings("""
I live in {v}
I am from {v}
my home is in {v}
I moved to {v}
I have a flat in {v}
""").extended(variety.LIVES_TOLD)
LIVES_ASKED = phrasings("""
where do I live
where is my home
in which town do I live
which city do I live in
where did I say I live
""").extended(variety.LIVES_ASKED)


@dataclass(frozen=True)
class Told:
    """Something the user told: the statement, the reply to it, and the later question with its answer."""

    statement: str
    noted: str
    asked: Phrasings
    reply: str


def told(rng: random.Random, side: Side) -> Told:
    """Return one thing that a user tells about themselves."""
    roll = rng.random()
    if roll < 0.3:
        name = value(rng, rng.choice(("first", "first", "name", "person")), side)
        return Told(
            state(NAME_TOLD.draw(rng, side.wording), {"v": name}),
            f"Nice to meet you, {name}.",
            NAME_ASKED,
            f"Your name is {name}.",
        )
    if roll < 0.4:
        town = value(rng, "city", side)
        return Told(
            state(LIVES_TOLD.draw(rng, side.wording), {"v": town}),
            f"I will remember that you live in {town}.",
            LIVES_ASKED,
            f"You live in {town}.",
        )
    if roll < 0.55:
        noun, name = rng.choice(CALLED), value(rng, "first", side)
        slots = {"a": noun, "v": name}
        asked = filled(CALLED_ASKED, slots)
        return Told(
            state(CALLED_TOLD.draw(rng, side.wording), slots),
            f"I will remember that your {noun} is called {name}.",
            asked,
            f"Your {noun} is called {name}.",
        )
    noun, kind = rng.choice(THINGS)
    slots = {"a": noun, "v": value(rng, kind, side)}
    asked = filled(THING_ASKED, slots)
    return Told(
        state(THING_TOLD.draw(rng, side.wording), slots),
        f"I will remember that your {noun} is {slots['v']}.",
        asked,
        f"Your {noun} is {slots['v']}.",
    )


def remembering(rng: random.Random, side: Side) -> Dialog:
    """Return a dialog that tells one to three things, talks in between, and asks for one of them at the end."""
    messages, facts = telling(rng, side, rng.choice((1, 1, 2, 2, 3)))
    return Dialog("multi_turn", (*messages, *asking(rng, side, rng.choice(facts))), maybe_system(rng))


def asking(rng: random.Random, side: Side, wanted: Told) -> list[Message]:
    """Return the question for something that was told, and its answer."""
    return [user(question(rng, wanted.asked, Phrasings(()), side.wording)), answer(wanted.reply)]


def telling(rng: random.Random, side: Side, count: int) -> tuple[list[Message], list[Told]]:
    """Return messages that tell up to `count` things with small talk around them, and the things."""
    facts: list[Told] = []
    for _ in range(count):
        made = told(rng, side)
        if all(made.reply.split(" ")[:3] != other.reply.split(" ")[:3] for other in facts):
            facts.append(made)
    messages: list[Message] = []
    if len(facts) == 2 and rng.random() < 0.3:
        text = capitalized(f"{facts[0].statement} and {facts[1].statement}")
        messages += [user(text + rng.choice((".", ""))), answer("I will remember that.")]
    else:
        for made in facts:
            text = side_of(rng, GREETINGS, side.wording) + made.statement
            messages += [user(capitalized(text) + rng.choice((".", ".", "", "!"))), answer(made.noted)]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        said, reply = exchange(rng, side)
        messages.insert(rng.choice((0, len(messages))), user(said))
        place = messages.index(user(said)) + 1
        messages.insert(place, answer(reply))
    return messages, facts
