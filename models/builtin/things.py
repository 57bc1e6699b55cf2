"""Things, and whatever may be built, sold or owned: prices, makers, materials and batteries.

Every entry is data in the form of `facts.relation`; slots are `{e}` for the subject and `{v}` for the value.
"""

from __future__ import annotations

from .facts import Relation, relation

THINGS: tuple[Relation, ...] = (
    relation(
        "any",
        "price",
        """
        {e} costs {v}. / A ticket for {e} costs {v}. / {e} is sold for {v}. / The price of {e} is {v}.
        You pay {v} for {e}.
    """,
        """
        how much is {e} / how much does {e} cost / what does {e} cost / what is the price of {e}
        how expensive is {e} / what do I pay for {e} / how much do I pay for {e} / what's the cost of {e}
        how much money do I need for {e} / for how much is {e} sold
    """,
        """
        how much {e} costs / what {e} costs / how much {e} is / the price of {e} / how expensive {e} is
    """,
    ),
    relation(
        "thing",
        "weight",
        "{e} weighs {v}. / {e} has a weight of {v}. / {e} weighs about {v}.",
        """
        how heavy is {e} / how much does {e} weigh / what does {e} weigh / what is the weight of {e}
        what weight does {e} have / how many kilos does {e} weigh
    """,
        "how heavy {e} is / how much {e} weighs / what {e} weighs / the weight of {e}",
    ),
    relation(
        "any",
        "year",
        """
        {e} was built in {v}. / {e} was opened in {v}. / {e} was founded in {v}. / {e} dates from {v}.
    """,
        """
        when was {e} built / in which year was {e} built / when was {e} opened / when was {e} founded
        in what year was {e} opened / what year was {e} founded / how old is {e}, when was it built
        from which year does {e} date / when did {e} open first / since when is {e} there
    """,
        """
        when {e} was built / in which year {e} was built / when {e} was opened / when {e} was founded
        what year {e} was built
    """,
    ),
    relation(
        "any",
        "person",
        "{e} was designed by {v}. / {e} was built by {v}. / {v} designed {e}. / {v} built {e}.",
        """
        who designed {e} / who built {e} / by whom was {e} designed / who was {e} designed by
        who made the design of {e} / by whom was {e} built / who is the designer of {e}
    """,
        "who designed {e} / who built {e} / by whom {e} was designed / who {e} was built by",
    ),
    relation(
        "any",
        "person",
        "{e} was founded by {v}. / {v} founded {e}. / {e} was started by {v}.",
        """
        who founded {e} / by whom was {e} founded / who started {e} / who was {e} founded by / who set up {e}
        who is the founder of {e}
    """,
        "who founded {e} / by whom {e} was founded / who started {e} / who {e} was founded by",
    ),
    relation(
        "thing",
        "person",
        "{e} was invented by {v}. / {v} invented {e}.",
        """
        who invented {e} / by whom was {e} invented / who is the inventor of {e} / who was {e} invented by
        who came up with {e}
    """,
        "who invented {e} / by whom {e} was invented",
    ),
    relation(
        "any",
        "person",
        "{e} was discovered by {v}. / {v} discovered {e}.",
        "who discovered {e} / by whom was {e} discovered / who found {e} / who was {e} discovered by",
        "who discovered {e} / by whom {e} was discovered",
    ),
    relation(
        "any",
        "city",
        "{e} is in {v}. / {e} is located in {v}. / {e} stands near {v}. / {e} lies near {v}.",
        """
        where is {e} / where is {e} located / in which town is {e} / where can I find {e} / where does {e} stand
        near which town is {e} / where does {e} lie / what town is {e} in
    """,
        """
        where {e} is / where {e} is located / in which town {e} is / where I can find {e} / where {e} lies
    """,
    ),
    relation(
        "thing",
        "number",
        "{e} uses {v} batteries. / {e} needs {v} batteries. / {e} runs on {v} batteries.",
        """
        how many batteries does {e} need / which battery does {e} use / how many batteries does {e} use
        what batteries does {e} need / what does {e} run on
    """,
        "how many batteries {e} needs / which batteries {e} uses / what {e} runs on",
    ),
    relation(
        "thing",
        "material",
        "{e} is made of {v}. / {e} is built from {v}. / {e} consists of {v}.",
        """
        what is {e} made of / which material is {e} made of / what does {e} consist of
        what material is {e} made from / what is {e} built from / from what is {e} built
    """,
        "what {e} is made of / which material {e} is made of / what {e} consists of",
    ),
    relation(
        "any",
        "colour",
        "{e} is painted {v}. / {e} is {v}. / {e} has a {v} front. / {e} comes in {v}.",
        """
        what colour is {e} / which colour is {e} / which colour does {e} have / in which colour is {e} painted
        what color is {e} / in which colour does {e} come
    """,
        "what colour {e} is / which colour {e} has / in which colour {e} is painted",
    ),
    relation(
        "thing",
        "duration",
        """
        {e} has a warranty of {v}. / The warranty of {e} is {v}. / {e} comes with a guarantee of {v}.
    """,
        """
        how long is the warranty of {e} / how long is the warranty on {e} / what warranty does {e} have
        how long is the guarantee of {e} / how long does the warranty of {e} last / what guarantee comes with {e}
    """,
        """
        how long the warranty of {e} is / what warranty {e} has / how long the warranty on {e} lasts
    """,
    ),
    relation(
        "thing",
        "duration",
        "The battery of {e} lasts {v}. / {e} runs for {v} on one charge. / Charging {e} takes {v}.",
        """
        how long does the battery of {e} last / how long does {e} run on one charge / how long does charging {e} take
        what is the battery life of {e} / how long can I use {e} on one charge
    """,
        """
        how long the battery of {e} lasts / how long {e} runs on one charge / how long charging {e} takes
    """,
    ),
)
