"""Dialogs about passages: answers from retrieved context, honest misses, and summaries by the leading sentence."""

from __future__ import annotations

import random
from dataclasses import dataclass

from . import entities, facts, variety_orders
from .asking import embedded, lifeless, turned
from .dialogs import NOT_FOUND, Dialog, Side, answer, plain, user
from .following import next_attribute, next_relation, next_subject
from .phrasing import Phrasings, capitalized, expand, order, phrasings, question, words
from .relations import ACTIONS, CONDITION_DIRECT, CONDITION_INDIRECT, CONDITION_STATEMENTS, CONDITIONS, RELATIONS
from .template import with_context
from .variety_attributes import ATTRIBUTE, ROLE, VERB

PERSON_FACTS = facts.Relation("any", "person", *ROLE)
CONDITION_PHRASINGS = tuple(phrasings(text) for text in (CONDITION_STATEMENTS, CONDITION_DIRECT, CONDITION_INDIRECT))
DOCUMENT_WORDS = words(
    "guide manual faq news contacts page notes report atlas bio crew tickets lease handbook policy menu plan list log "
    "story wiki intro terms letter doc docs file memo summary minutes rules prices team city travel"
)
SUMMARY_ORDERS = phrasings("""
summarize this[ text|]
summarize the following[ text|]
summarize[ it|] in one sentence
give me a [short |]summary of this[ text|]
give me a one sentence summary[ of this text|]
sum this up[ for me|]
write a [short |one sentence |]summary of the following[ text|]
shorten this[ text|] to one sentence
?what is the main point of this text
make a [brief|short] summary of the text below
tell me in one sentence what this says
?what does this text say in short
condense this[ text|]
boil this down to one sentence
?I need a [short|quick] summary of this
summarise this[ article| note| message|]
reduce the text to its main point
?what's the gist of this
?in one sentence, what is this about
provide a summary of the text
give me the key point of the following
?TL;DR of this text
?the main message of this, in one line
pick out the most important point
give a one line summary
""").extended(variety_orders.SUMMARY)
FILLERS = phrasings("""
It was a {a} day.
Nothing else changed.
Many people came to see it.
The news spread quickly.
It will be checked again on {d}.
Prices stay the same.
Nobody was hurt.
{p} thanked everyone.
The work began in {y}.
More is to follow next {d}.
The council talked about it on {d}.
Visitors may ask {p} for details.
It is {a} and not very large.
The plan was made by {p}.
There is a {a} sign at the door.
""")
EVENTS = phrasings("""
The {t} of {n} opened a new {u} on {d}.
{p} was chosen as the new {r} of {n}.
A storm damaged the {t} in {n} on {d}.
The town of {n} closed its {t} for {x}.
{p} bought the {t} in {n} for {m}.
The {t} of {n} will move to {c} in {y}.
A {a} {u} was found near {n} on {d}.
{n} won the {v} against {c}.
The {r} of {n} wants to sell the {a} {u}.
{p} finished a {u} for the {t} of {n}.
A fire broke out in the {t} of {n}.
The {v} in {n} was moved to {d}.
The {n} company will build {a} {u}s in {c}.
The council of {n} voted for a new {t}.
{n} and {c} will share one {t}.
""")


@dataclass(frozen=True)
class Fact:
    """A statement with the questions that it answers, its subject, and the attribute or first question about it.

    `thing` says whether `it` may stand for the subject.
    """

    statement: str
    direct: Phrasings
    indirect: Phrasings
    about: str = ""
    topic: str = ""
    attribute: str = ""
    thing: bool = False


def subject(rng: random.Random, kind: str, side: Side) -> str:
    """Return a noun phrase of the kind around a name of the given side."""
    name = entities.pick(rng, side.values, entities.invented if rng.random() < 0.75 else entities.city)
    if kind == "any":
        kind = rng.choice(("place", "thing", "nature", "work", "event", "name", "name"))
    if kind == "person":
        return entities.pick(rng, side.values, entities.person if rng.random() < 0.75 else entities.first_name)
    if kind == "name":
        return name
    if kind == "thing":
        model = entities.pick(rng, side.values, entities.product)
        noun = rng.choice(facts.THING_TYPES)
        return rng.choice((f"the {model} {noun}", f"the {model} {noun}", f"the {model}", f"the {name} {noun}"))
    lists = {"place": facts.PLACE_TYPES, "nature": facts.NATURE, "work": facts.WORKS, "event": facts.EVENTS}
    noun = rng.choice(lists[kind]).replace("_", " ")
    forms = [
        f"the {name} {noun}",
        f"the {noun} {name}",
        f"the {noun} in {name}",
        f"the {noun} of {name}",
        f"the {noun} at {name}",
        name,
        f"the {entities.product(rng).split()[0]} {noun} in {name}",
    ]
    if kind == "work":
        forms = [entities.pick(rng, side.values, entities.title), f"the {noun} {name}", name, f"the {name} {noun}"]
    return rng.choice(forms)


def value(rng: random.Random, kind: str, side: Side) -> str:
    """Return a value of the kind from the given side."""
    return entities.pick(rng, side.values, entities.KINDS[kind])


def state(text: str, slots: dict[str, str]) -> str:
    """Fill the slots of a pattern."""
    for slot, content in slots.items():
        text = text.replace("{" + slot + "}", content)
    return text


def filled(source: Phrasings, slots: dict[str, str]) -> Phrasings:
    """Return the phrasings with their slots filled."""
    return source.mapped(lambda pattern: state(pattern, slots))


def condition_fact(rng: random.Random, side: Side) -> Fact:
    """Return an instruction of the form "If this, do that." with its questions."""

    def fill(pattern: str) -> str:
        slots = {
            "c": rng.choice(entities.COLOURS),
            "n": value(rng, "name", side),
            "x": value(rng, "number", side),
            "p": value(rng, "person", side),
            "d": value(rng, "duration", side),
        }
        return state(pattern, slots)

    slots = {"q": fill(rng.choice(CONDITIONS)), "r": fill(rng.choice(ACTIONS))}
    statements, direct, indirect = (filled(source, slots) for source in CONDITION_PHRASINGS)
    return Fact(capitalized(statements.draw(rng, side.wording)), direct, indirect)


def novel_attribute(rng: random.Random, side: Side) -> tuple[str, facts.Relation]:
    """Return an invented attribute, so that matching words is learned and not only known attributes."""
    word = value(rng, "name", side).lower()
    word = rng.choice(
        (word, word, f"{word} {rng.choice(facts.ATTRIBUTES)[0]}", f"{rng.choice(entities.COLOURS)} {word}")
    )
    kind = rng.choice(tuple(entities.KINDS))
    return word, facts.Relation("any", kind, *ATTRIBUTE)


def novel_verb(rng: random.Random, side: Side) -> facts.Relation:
    """Return a relation around an invented verb, in active and passive voice."""
    verb = value(rng, "name", side).lower()
    statements, direct, indirect = (filled(text, {"w": verb}) for text in VERB)
    return facts.Relation(
        "any", rng.choice(("person", "city", "food", "name", "product", "number", "code")), statements, direct, indirect
    )


def fact(
    rng: random.Random,
    side: Side,
    about: str | None = None,
    like: facts.Relation | None = None,
    attribute: str | None = None,
) -> tuple[Fact, str, facts.Relation, str]:
    """Return a fact with its subject, relation and attribute; each can be given to build a near miss."""
    roll = rng.random()
    relation = like
    if relation is None and attribute is None and rng.random() < 0.14:
        attribute, relation = novel_attribute(rng, side)
    elif relation is None and attribute is None and roll < 0.6:
        relation = novel_verb(rng, side) if rng.random() < 0.12 else rng.choice(RELATIONS)
    if relation is None:
        attribute = attribute or (rng.choice(facts.PERSON_ROLES) if roll > 0.87 else rng.choice(facts.ATTRIBUTES)[0])
        kind = dict(facts.ATTRIBUTES).get(attribute, "person")
        relation = PERSON_FACTS if kind == "person" else facts.Relation("any", kind, *ATTRIBUTE)
    about = about or subject(rng, relation.subject, side)
    slots = {"e": about, "v": value(rng, relation.value, side), "a": attribute or ""}
    statement, direct = relation.statements.draw(rng, side.wording), relation.direct
    if side.wording == "train":
        statement, direct = embedded(rng, statement), turned(rng, direct, about, relation.subject)
    made = Fact(
        capitalized(state(statement, slots)),
        filled(direct, slots),
        filled(relation.indirect, slots),
        about,
        attribute or relation.direct.patterns[0],
        attribute or "",
        lifeless(about, relation.subject),
    )
    return made, about, relation, attribute or ""


def document_id(rng: random.Random) -> str:
    """Return an identifier of a document as people and programs name them."""
    word, name = rng.choice(DOCUMENT_WORDS), entities.invented(rng).lower()
    tail = "".join(rng.choice("0123456789abcdef") for _ in range(rng.choice((2, 3, 4, 6))))
    forms = (
        word,
        f"{word}-{rng.randrange(1, 30)}",
        f"{name}",
        f"{name}-{word}",
        f"doc-{rng.randrange(1, 500)}",
        f"{word}-{tail}",
        f"{name}.{rng.choice(('pdf', 'txt', 'html', 'md'))}",
        f"{word}_{rng.randrange(1, 9)}",
        f"{word}-{name}",
        str(rng.randrange(1, 99)),
        f"{name}{rng.randrange(1, 9)}",
    )
    return rng.choice(forms)


def distractor(rng: random.Random, side: Side, about: str, relation: facts.Relation, attribute: str) -> Fact:
    """Return a fact that shares the subject or the relation with the question, or neither."""
    roll = rng.random()
    if roll < 0.4:
        other = None
        if " " in about and rng.random() < 0.4:
            other = " ".join([*about.split()[:-1], value(rng, "name", side)])
        return fact(rng, side, other, relation, attribute)[0]
    if roll < 0.55 and about:
        known = [name for name, _ in facts.ATTRIBUTES if name != attribute]
        return fact(rng, side, about, None, rng.choice(known))[0]
    if roll < 0.75 and about:
        fitting = (relation.subject, "any")
        others = [other for other in RELATIONS if other.subject in fitting and other.value != relation.value]
        return fact(rng, side, about, rng.choice(others), "")[0]
    if roll < 0.85:
        return condition_fact(rng, side)
    return fact(rng, side)[0]


def collection(rng: random.Random, side: Side, counts: tuple[int, ...]) -> tuple[Fact, list[Fact]]:
    """Return a fact to ask for and, as often as one of the counts says, others that are easily taken for it."""
    if rng.random() < 0.07:
        wanted = condition_fact(rng, side)
        others = [condition_fact(rng, side) for _ in range(min(3, rng.choice(counts)))]
    else:
        wanted, about, relation, attribute = fact(rng, side)
        others = [distractor(rng, side, about, relation, attribute) for _ in range(rng.choice(counts))]
    unique = {other.statement: other for other in others if other.statement != wanted.statement}
    return wanted, list(unique.values())


def retrieval(rng: random.Random, side: Side) -> Dialog:
    """Return a question over one to five passages, answered by the sentence that tells it and its source."""
    wanted, others = collection(rng, side, (0, 1, 1, 2, 2, 3, 4))
    chunks = grouped(rng, shuffled(rng, [wanted, *others]))
    asked = question(rng, wanted.direct, wanted.indirect, side.wording)
    return plain("rag", with_context(asked, chunks), cited(chunks, wanted))


def miss(rng: random.Random, side: Side) -> Dialog:
    """Return a question whose answer is in none of the passages, which are easily taken for it."""
    wanted, others = collection(rng, side, (1, 2, 2, 3, 4))
    chunks = grouped(rng, shuffled(rng, others or [fact(rng, side)[0]]))
    asked = question(rng, wanted.direct, wanted.indirect, side.wording)
    return plain("rag_missing", with_context(asked, chunks), NOT_FOUND)


def follow_up(rng: random.Random, side: Side) -> Dialog:
    """Return a question over passages and one or two more on the same passages in later turns."""
    wanted, others = collection(rng, side, (1, 2, 2, 3))
    chunks = grouped(rng, shuffled(rng, [wanted, *others]))
    asked = question(rng, wanted.direct, wanted.indirect, side.wording)
    messages = [user(with_context(asked, chunks)), answer(cited(chunks, wanted))]
    before = wanted
    for other in rng.sample(others, min(len(others), rng.choice((1, 2)))):
        going_on = short(rng, before, other) if side.wording == "train" and rng.random() < 0.4 else None
        asked = going_on or question(rng, other.direct, other.indirect, side.wording)
        messages += [user(asked), answer(cited(chunks, other))]
        before = other
    return Dialog("rag_follow_up", tuple(messages))


def short(rng: random.Random, before: Fact, other: Fact) -> str | None:
    """Return a question for another fact that leaves out what it shares with the one before, or None if nothing is."""
    asked = None
    if before.about and other.about != before.about and other.topic == before.topic:
        asked = next_subject(rng, before.about, other.about)
    elif before.about and other.about == before.about and other.thing and other.topic != before.topic:
        asked = (
            next_attribute(rng, other.attribute) if other.attribute else next_relation(rng, other.direct, other.about)
        )
    return capitalized(asked) if asked and rng.random() < 0.8 else asked


def shuffled(rng: random.Random, known: list[Fact]) -> list[str]:
    """Return the statements of the facts in random order."""
    return rng.sample([entry.statement for entry in known], len(known))


def cited(chunks: list[tuple[str, str]], wanted: Fact) -> str:
    """Return the answer that quotes the statement after the id of its document."""
    source = next(name for name, chunk in chunks if wanted.statement in chunk)
    return f"[{source}] {wanted.statement}"


def grouped(rng: random.Random, sentences: list[str]) -> list[tuple[str, str]]:
    """Return chunks of one or more sentences with document ids, which chunks of one document share."""
    chunks: list[tuple[str, str]] = []
    name, shared = document_id(rng), rng.random() < 0.25
    index = 0
    while index < len(sentences):
        size = 1 if rng.random() < 0.8 else rng.choice((2, 3))
        if not shared:
            name = document_id(rng)
        chunks.append((name, " ".join(sentences[index : index + size])))
        index += size
    return chunks


def news(rng: random.Random, side: Side) -> str:
    """Return one sentence of news or a fact, as texts begin with."""
    if rng.random() < 0.4:
        return fact(rng, side)[0].statement
    slots = {
        "t": rng.choice(facts.PLACE_TYPES).replace("_", " "),
        "u": rng.choice(facts.THING_TYPES),
        "n": value(rng, "name", side),
        "d": rng.choice(entities.DAYS),
        "p": value(rng, "person", side),
        "r": rng.choice(facts.PERSON_ROLES),
        "m": value(rng, "price", side),
        "c": value(rng, "city", side),
        "y": value(rng, "year", side),
        "a": rng.choice(entities.COLOURS),
        "v": rng.choice(facts.EVENTS),
        "x": value(rng, "duration", side),
    }
    return state(expand(rng, rng.choice(EVENTS.patterns)), slots)


def summary(rng: random.Random, side: Side) -> Dialog:
    """Return an order to summarize a text of two to four sentences, answered by its first sentence."""
    lead = news(rng, side)
    rest = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        slots = {
            "a": rng.choice(entities.COLOURS),
            "d": rng.choice(entities.DAYS),
            "p": value(rng, "person", side),
            "y": value(rng, "year", side),
        }
        rest.append(state(rng.choice(FILLERS.patterns), slots) if rng.random() < 0.5 else news(rng, side))
    text = " ".join([lead, *rest])
    asked = order(rng, SUMMARY_ORDERS, side.wording).rstrip(".?!")
    if rng.random() < 0.12:
        return plain("summary", f"{text}{rng.choice((chr(10), chr(10) * 2, ' '))}{capitalized(asked)}.", lead)
    return plain("summary", asked + rng.choice((": ", ":\n", ":\n\n", ".\n\n", "\n\n", "\n", ". ")) + text, lead)
