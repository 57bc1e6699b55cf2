"""What passages state and how people ask for it: relations with their statements, direct and indirect questions.

Slots: `{e}` the subject, `{v}` the value. The lists are data; `passages.py` draws from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from .phrasing import Phrasings, phrasings, words

PLACE_TYPES = words(
    "library museum pool bakery bridge tower ferry hotel clinic office school garden station theatre market harbour "
    "mill castle farm cafe gallery cinema gym hospital bank church park stadium restaurant bookshop brewery factory "
    "archive butcher pharmacy university town_hall post_office ski_lift bus_line golf_course swimming_hall "
    "tennis_club"
)
THING_TYPES = words(
    "kettle headlamp camera printer drone heater lamp router bicycle tent stove boat car phone watch radio mixer "
    "drill fridge pump scooter battery backpack telescope sofa desk ladder guitar train rocket plane lens keyboard "
    "boiler oven"
)
NATURE = words(
    "river lake mountain island valley forest glacier canyon village bay town city cave volcano desert county"
)
WORKS = words(
    "novel song film opera painting poem play statue album symphony report ballet comic essay musical bridge game"
)
EVENTS = words(
    "festival concert marathon conference workshop course lecture exhibition market fair match race meeting exam party "
    "regatta tour parade seminar auction wedding"
)

PERSON_ROLES = words(
    "director owner manager captain founder mayor coach author architect editor chef teacher doctor president "
    "secretary guide cook pilot conductor head leader chair designer inventor treasurer caretaker sponsor driver "
    "librarian curator trainer landlord king queen governor minister inspector painter gardener singer host judge"
)
ATTRIBUTES: tuple[tuple[str, str], ...] = (
    ("capital", "city"),
    ("headquarters", "city"),
    ("birthplace", "city"),
    ("terminal", "city"),
    ("twin town", "city"),
    ("height", "length"),
    ("depth", "length"),
    ("length", "length"),
    ("width", "length"),
    ("range", "length"),
    ("weight", "weight"),
    ("load limit", "weight"),
    ("population", "number"),
    ("capacity", "seats"),
    ("age", "duration"),
    ("price", "price"),
    ("fee", "price"),
    ("rent", "price"),
    ("deposit", "price"),
    ("budget", "price"),
    ("fine", "price"),
    ("salary", "price"),
    ("entrance fee", "price"),
    ("ticket price", "price"),
    ("speed limit", "number"),
    ("temperature", "degrees"),
    ("colour", "colour"),
    ("flag", "colour"),
    ("logo", "colour"),
    ("password", "code"),
    ("wifi password", "code"),
    ("door code", "code"),
    ("phone number", "phone"),
    ("fax number", "phone"),
    ("serial number", "code"),
    ("room number", "number"),
    ("licence plate", "code"),
    ("model", "product"),
    ("postcode", "number"),
    ("opening date", "date"),
    ("deadline", "date"),
    ("birthday", "date"),
    ("start date", "date"),
    ("main dish", "food"),
    ("speciality", "food"),
    ("main export", "food"),
    ("favourite food", "food"),
    ("nickname", "name"),
    ("official language", "language"),
    ("second language", "language"),
    ("currency", "name"),
    ("warranty", "duration"),
    ("battery life", "duration"),
    ("delivery time", "duration"),
    ("running time", "duration"),
    ("pet", "animal"),
    ("mascot", "animal"),
    ("symbol", "animal"),
    ("old name", "name"),
    ("account number", "number"),
    ("website", "name"),
    ("closing day", "day"),
    ("lucky number", "number"),
    ("gate", "number"),
    ("platform", "number"),
    ("floor", "number"),
    ("size", "number"),
    ("material", "material"),
    ("subject", "subject"),
    ("score", "number"),
    ("version", "number"),
    ("voltage", "number"),
    ("address", "name"),
    ("meeting point", "city"),
    ("code name", "name"),
)

ATTRIBUTE_STATEMENTS = phrasings("""
The {a} of {e} is {v}.
The {a} of {e} is {v}.
{e}'s {a} is {v}.
{v} is the {a} of {e}.
{e} has {v} as its {a}.
For {e} the {a} is {v}.
The {a} for {e} is {v}.
The {a} of {e} was {v} last year.
As for {e}, the {a} is {v}.
The current {a} of {e} is {v}.
""")
ATTRIBUTE_DIRECT = phrasings("""
what is the {a} of {e}
what's the {a} of {e}
what is {e}'s {a}
which {a} does {e} have
what {a} does {e} have
what's {e}'s {a}
what is the {a} for {e}
{a} of {e}
what is listed as the {a} of {e}
what would be the {a} of {e}
what was the {a} of {e} again
the {a} of {e}, what is it
how is the {a} of {e} given
what do we have as the {a} of {e}
I need the {a} of {e}, what is it
[give|show] me the {a} of {e}
I forgot the {a} of {e}, what is it
what does it say about the {a} of {e}
I am looking for the {a} of {e}
what do the documents say is the {a} of {e}
""")
ATTRIBUTE_INDIRECT = phrasings("""
the {a} of {e}
what the {a} of {e} is
{e}'s {a}
what {e}'s {a} is
which {a} {e} has
what {a} {e} has
the {a} for {e}
""")
ROLE_STATEMENTS = phrasings("""
The {a} of {e} is {v}.
{v} is the {a} of {e}.
{e}'s {a} is {v}.
The {a} of {e} is called {v}.
{e} has {v} as its {a}.
The new {a} of {e} is {v}.
""")
ROLE_DIRECT = phrasings("""
who is the {a} of {e}
who's the {a} of {e}
who is {e}'s {a}
what is the name of the {a} of {e}
who works as the {a} of {e}
what is the {a} of {e} called
who was the {a} of {e}
what's the name of {e}'s {a}
who is listed as {a} of {e}
which person is the {a} of {e}
{e} has which {a}
name the {a} of {e}
""")
ROLE_INDIRECT = phrasings("""
who the {a} of {e} is
the name of the {a} of {e}
who {e}'s {a} is
what the {a} of {e} is called
who is the {a} of {e}
""")
VERB_STATEMENTS = phrasings("""
{e} {w}s {v}.
{e} {w}ed {v}.
{e} {w}s {v} every day.
{e} can {w} {v}.
{e} will {w} {v}.
""")
VERB_DIRECT = phrasings("""
what does {e} {w}
who does {e} {w}
what did {e} {w}
what can {e} {w}
what will {e} {w}
which one does {e} {w}
""")
VERB_INDIRECT = phrasings("""
what {e} {w}s
who {e} {w}s
what {e} {w}ed
what {e} can {w}
what {e} will {w}
""")


@dataclass(frozen=True)
class Relation:
    """One kind of fact: the kind of its subject and value, statements, and questions in both forms."""

    subject: str
    value: str
    statements: Phrasings
    direct: Phrasings
    indirect: Phrasings


def relation(subject: str, value: str, statements: str, direct: str, indirect: str) -> Relation:
    """Return a relation from texts with ` / ` between phrasings."""
    return Relation(subject, value, phrasings(statements), phrasings(direct), phrasings(indirect))
