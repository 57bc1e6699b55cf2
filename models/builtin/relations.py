"""All relations with verbs of their own, and instructions of the form "if this, do that"."""

from __future__ import annotations

from .facts import Relation
from .people import PEOPLE
from .places import PLACES
from .things import THINGS
from .widening import widened

RELATIONS: tuple[Relation, ...] = tuple(map(widened, (*PLACES, *THINGS, *PEOPLE)))

CONDITIONS = (
    "the {c} lamp blinks",
    "the {n} alarm rings",
    "the {n} pump stops",
    "the screen of the {n} turns {c}",
    "the {n} printer is jammed",
    "a {c} light is on",
    "the {n} key is lost",
    "the {n} engine gets hot",
    "the {c} button does not work",
    "the {n} door is locked",
    "the {c} cable is broken",
    "the {n} lift is stuck",
    "the {n} server is down",
    "the {n} tank is empty",
    "a guest of the {n} hotel is late",
    "the {n} card is stolen",
)
ACTIONS = (
    "call {p}",
    "press the {c} button",
    "empty the {n} tank",
    "restart the {n} server",
    "pull the {c} lever",
    "wait {d}",
    "write to {p}",
    "close the {c} valve",
    "use the {c} key",
    "go to room {x}",
    "dial {x}",
    "open the {n} box",
    "replace the {c} filter",
    "ask {p}",
    "turn the {c} wheel",
    "leave through the {c} door",
)
CONDITION_STATEMENTS = "If {q}, {r}. / When {q}, {r}. / {r} if {q}. / Should it happen that {q}, {r}."
CONDITION_DIRECT = """
        what should I do if {q} / what do I do when {q} / what must I do if {q} / what happens if {q}
        what is to be done when {q} / what to do if {q} / how do I react when {q} / {q}, what should I do
        what do we do if {q} / what can I do if {q}
    """
CONDITION_INDIRECT = """
        what to do if {q} / what I should do when {q} / what I have to do if {q} / how to react when {q}
        what to do when {q}
    """
