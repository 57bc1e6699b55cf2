"""Further statements and questions about attributes, roles and invented verbs, for training alone.

Slots: `{a}` the attribute or role, `{w}` the verb, `{e}` the subject, `{v}` the value.
"""

from __future__ import annotations

from . import facts
from .phrasing import phrasings

ATTRIBUTE = (
    facts.ATTRIBUTE_STATEMENTS.extended(
        phrasings("""
The {a} that {e} has is {v}. / The {a} of {e}: {v}. / {v} is given as the {a} of {e}. / {e} has the {a} {v}.
They say that the {a} of {e} is {v}. / Today the {a} of {e} is {v}. / With {e} the {a} is {v}. / {e}: {a} {v}.
You will find that the {a} of {e} is {v}. / It is {v} that is the {a} of {e}. / They gave {e} the {a} {v}.
{v}: that is the {a} of {e}. / Since last year the {a} of {e} has been {v}. / {e} got {v} as its {a}.
{e} ({a}: {v}).
In the papers of {e} the {a} is {v}. / Nobody doubts that the {a} of {e} is {v}. / {e} has kept {v} as its {a}.
When it comes to the {a}, {e} has {v}. / {v} was chosen as the {a} of {e}. / The {a} they list for {e} is {v}.
Those who ask for the {a} of {e} are told {v}. / {a} of {e}: {v}. / {e}, whose {a} is {v}, is well known.
With {v} as its {a}, {e} is well known. / The right {a} for {e} is {v}. / On paper the {a} of {e} is {v}.
If you need the {a} of {e}, it is {v}. / {e} goes with the {a} {v}. / Remember the {a} of {e}: {v}.
""")
    ),
    facts.ATTRIBUTE_DIRECT.extended(
        phrasings("""
what is given as the {a} of {e} / do you have the {a} of {e} / {e} has what {a} / what about the {a} of {e}
what {a} is given for {e} / which {a} is listed for {e} / which is the {a} of {e} / tell me about the {a} of {e}
what could be the {a} of {e} / please, the {a} of {e} / what {a} has {e} / is there any {a} of {e}, and what is it
what do you know of the {a} of {e} / [find|name|tell] me the {a} of {e} / what is said to be the {a} of {e}
I want the {a} of {e} / {e}, what {a} does it have / does {e} have any {a}, and which
{e} {a} / {a} {e} / {e}, {a} / {e}: {a} / {a}: {e} / {a} for {e} / {e} and its {a} / {e}'s {a} / {e}'s {a}, please
look up the {a} of {e} / read me the {a} of {e} / state the {a} of {e} / find out the {a} of {e}
check the {a} of {e}
can I have the {a} of {e} / could I get the {a} of {e} / may I have the {a} of {e} / have you got the {a} of {e}
where is the {a} of {e} given, and what is it / [so|and|now] what is the {a} of {e} / what exactly is the {a} of {e}
what do they give as the {a} of {e} / what did they write about the {a} of {e} / what might be the {a} of {e}
which {a} belongs to {e} / what {a} did they give {e} / what {a} goes with {e} / with which {a} does {e} go
under {a}, what does it say for {e} / what is there as the {a} of {e} / what {a} should I note for {e}
by what {a} do they know {e} / is the {a} of {e} known, and what is it / how about the {a} of {e}
what is {e}'s exact {a}
which {a} has {e} / which {a} was given to {e} / what do you have as {e}'s {a} / what {a} do you have for {e}
my question is about the {a} of {e} / I was asked for the {a} of {e} / the right {a} of {e} is what
[any|some] {a} for {e}
""")
    ),
    facts.ATTRIBUTE_INDIRECT.extended(
        phrasings("""
which {a} is listed for {e} / what is given as the {a} of {e} / what the {a} for {e} is
what {a} is given for {e} / which {a} belongs to {e} / what {a} they gave {e} / which {a} goes with {e}
what they give as the {a} of {e} / what exactly the {a} of {e} is / what they wrote about the {a} of {e}
the exact {a} of {e} / the {a} that {e} has / the {a} they list for {e} / the right {a} of {e}
what {a} I should note for {e} / what might be the {a} of {e} / which {a} was given to {e}
""")
    ),
)
ROLE = (
    facts.ROLE_STATEMENTS.extended(
        phrasings("""
{v} works as the {a} of {e}. / {v} became the {a} of {e}. / As the {a} of {e} they chose {v}. / The {a} at {e} is {v}.
{v}, the {a} of {e}, is well known. / Since last year {v} has been the {a} of {e}.
It is {v} who is the {a} of {e}. / They made {v} the {a} of {e}. / {e} chose {v} as its {a}. / {v} is {a} of {e}.
{v} has the post of {a} at {e}. / {e} got a new {a}, {v}. / The one who is {a} of {e} is {v}. / {a} of {e}: {v}.
You can meet {v}, the {a} of {e}. / For years {v} has been {a} of {e}. / Ask for {v}, the {a} of {e}.
When {e} looked for a new {a}, it found {v}. / {v} took over as {a} of {e}. / The name of the {a} of {e} is {v}.
{e} is proud of its {a}, {v}. / The job of {a} of {e} went to {v}. / {v} was named {a} of {e}.
The {a}, {v}, has done a lot for {e}. / With {v} as its {a}, {e} does well.
""")
    ),
    facts.ROLE_DIRECT.extended(
        phrasings("""
who acts as the {a} of {e} / who has the post of {a} of {e} / whom does {e} have as its {a}
what's the {a} of {e} called
who is the {a} at {e} / who is given as the {a} of {e} / tell me the {a} of {e} / the {a} of {e} is who
who is {a} of {e} / how is the {a} of {e} called / who serves as {a} of {e}
{e} {a} / {a} {e} / {e}: {a} / {a} of {e} / {e}'s {a} / the {a} of {e}, please / the name of the {a} of {e}
look up the {a} of {e} / who exactly is the {a} of {e} / [so|and|now] who is the {a} of {e}
who do they say is {a} of {e}
who got the job of {a} of {e} / whom did they make {a} of {e} / whom did {e} choose as its {a}
who took over as {a} of {e}
whom should I ask for as the {a} of {e} / whose job is it to be {a} of {e} / who holds the post of {a} at {e}
which name does the {a} of {e} have / what do they call the {a} of {e} / is there any {a} of {e}, and who
who has been {a} of {e} / who was named {a} of {e} / who will I meet as the {a} of {e}
can I have the name of the {a} of {e}
tell me who is {a} of {e} / I need the name of the {a} of {e} / [find|give] me the {a} of {e}
""")
    ),
    facts.ROLE_INDIRECT.extended(
        phrasings("""
who works as the {a} of {e} / how the {a} of {e} is called / the {a} of {e}
who the {a} at {e} is
who got the job of {a} of {e} / whom they made {a} of {e} / whom {e} chose as its {a} / who has the post of {a} at {e}
who was named {a} of {e} / which person they call the {a} of {e} / {e}'s {a} / the person who is {a} of {e}
""")
    ),
)
VERB = (
    facts.VERB_STATEMENTS.extended(
        phrasings(
            "Every week {e} {w}s {v}. / It is {v} that {e} {w}s. / {e} has to {w} {v}. / {e} wants to {w} {v}."
            " / {v} is what {e} {w}s. / On most days {e} {w}s {v}. / {e} likes to {w} {v}. / {v} was {w}ed by {e}."
            " / You can see {e} {w} {v}. / When asked, {e} {w}s {v}. / {e} never fails to {w} {v}."
            " / {e} began to {w} {v}."
            " / What {e} {w}s is {v}. / {e} had to {w} {v}. / Nobody but {e} {w}s {v}. / In spring {e} {w}s {v}."
        )
    ),
    facts.VERB_DIRECT.extended(
        phrasings("""
what is it that {e} {w}s / what does {e} have to {w} / {e} {w}s what / what does {e} {w} every day
what does {e} want to {w}
what would {e} {w} / what did {e} begin to {w} / what was {w}ed by {e} / what can I see {e} {w} / what is {w}ed by {e}
what does {e} like to {w} / what did {e} have to {w} / what should {e} {w} / what is {e} going to {w}
what might {e} {w}
what or whom does {e} {w} / {e}, what does it {w} / does {e} {w} anything, and what / tell me what {e} {w}s
whom does {e} {w}
""")
    ),
    facts.VERB_INDIRECT.extended(
        phrasings(
            "what it is that {e} {w}s / what {e} has to {w} / what {e} wants to {w}"
            " / what {e} likes to {w} / what is {w}ed by {e} / what {e} began to {w} / what {e} might {w}"
            " / whom {e} {w}s"
        )
    ),
)
"""Statements, direct and indirect questions about attributes, roles and invented verbs."""
