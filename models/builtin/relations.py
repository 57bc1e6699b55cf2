"""The table of relations with verbs of their own, from opening hours to birthplaces.

Every line is data in the form of `facts.relation`; slots are `{e}` for the subject and `{v}` for the value.
"""

from __future__ import annotations

from .facts import Relation, relation

RELATIONS: tuple[Relation, ...] = (
    relation(
        "place",
        "clock",
        """
        {e} opens at {v}. / {e} opens at {v} every day. / {e} is open from {v}. / The doors of {e} open at {v}.
        {e} opens its doors at {v}.
    """,
        """
        when does {e} open / at what time does {e} open / what time does {e} open / from when is {e} open
        when do the doors of {e} open / from what time is {e} open / when can I get into {e}, when does it open
        how early does {e} open / what are the opening hours of {e} / {e} opens when
    """,
        """
        when {e} opens / what time {e} opens / at what time {e} opens / from when {e} is open
        the opening time of {e}
    """,
    ),
    relation(
        "place",
        "clock",
        """
        {e} closes at {v}. / {e} closes at {v} every day. / {e} closes its doors at {v}. / {e} shuts at {v}.
    """,
        """
        when does {e} close / at what time does {e} close / what time does {e} close / until when is {e} open
        when does {e} shut / how late does {e} close / what is the closing time of {e}
        how late can I go before {e} closes / {e} closes when / when do they close {e}
    """,
        """
        when {e} closes / what time {e} closes / at what time {e} closes / when {e} shuts / how late {e} closes
    """,
    ),
    relation(
        "place",
        "day",
        "{e} is closed on {v}. / On {v} {e} stays closed. / {e} is closed every {v}.",
        """
        on which day is {e} closed / which day is {e} closed / when is {e} closed / what day is {e} closed
        on what day of the week is {e} closed
    """,
        """
        on which day {e} is closed / which day {e} is closed / when {e} is closed / what day {e} is closed
    """,
    ),
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
        "nature",
        "length",
        "{e} is {v} high. / {e} is {v} tall. / {e} has a height of {v}. / {e} rises to {v}.",
        """
        how high is {e} / how tall is {e} / what is the height of {e} / what height does {e} have
        what height does {e} reach / how many metres high is {e}
    """,
        "how high {e} is / how tall {e} is / the height of {e} / what height {e} has",
    ),
    relation(
        "nature",
        "length",
        "{e} is {v} deep. / {e} has a depth of {v}. / {e} reaches a depth of {v}.",
        """
        how deep is {e} / what is the depth of {e} / what depth does {e} have / how deep does {e} get
        what depth does {e} reach
    """,
        "how deep {e} is / the depth of {e} / what depth {e} has",
    ),
    relation(
        "nature",
        "length",
        "{e} is {v} long. / {e} has a length of {v}. / {e} stretches over {v}.",
        """
        how long is {e} / what is the length of {e} / what length does {e} have / how many kilometres long is {e}
        over what length does {e} stretch
    """,
        "how long {e} is / the length of {e} / what length {e} has",
    ),
    relation(
        "nature",
        "people",
        "{e} has {v}. / {e} has a population of {v}. / About {v} live in {e}. / {e} is home to {v}.",
        """
        how many people live in {e} / what is the population of {e} / how many inhabitants does {e} have
        how many residents does {e} have / how populous is {e} / how large is the population of {e}
        how many people are there in {e}
    """,
        "how many people live in {e} / the population of {e} / how many inhabitants {e} has",
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
        "place",
        "person",
        "{e} is run by {v}. / {v} runs {e}. / {v} manages {e}. / {e} is managed by {v}.",
        """
        who runs {e} / who manages {e} / by whom is {e} run / who is in charge of {e} / who leads {e}
        who is running {e} / who is {e} managed by
    """,
        "who runs {e} / who manages {e} / who is in charge of {e} / by whom {e} is run",
    ),
    relation(
        "place",
        "person",
        "{e} is owned by {v}. / {e} belongs to {v}. / {v} owns {e}.",
        """
        who owns {e} / to whom does {e} belong / who is the owner of {e} / who does {e} belong to / whose is {e}
    """,
        "who owns {e} / to whom {e} belongs / who {e} belongs to",
    ),
    relation(
        "work",
        "person",
        "{e} was written by {v}. / {v} wrote {e}. / {e} is by {v}.",
        """
        who wrote {e} / by whom was {e} written / who is the author of {e} / who was {e} written by / who is {e} by
    """,
        "who wrote {e} / by whom {e} was written / who {e} was written by",
    ),
    relation(
        "work",
        "person",
        "{e} was painted by {v}. / {v} painted {e}.",
        """
        who painted {e} / by whom was {e} painted / who is the painter of {e} / who was {e} painted by
    """,
        "who painted {e} / by whom {e} was painted",
    ),
    relation(
        "work",
        "person",
        "{e} was composed by {v}. / {v} composed {e}.",
        """
        who composed {e} / by whom was {e} composed / who is the composer of {e} / who was {e} composed by
    """,
        "who composed {e} / by whom {e} was composed",
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
        "person",
        "city",
        "{e} was born in {v}. / {e} comes from {v}. / {v} is the birthplace of {e}.",
        """
        where was {e} born / in which town was {e} born / where does {e} come from / where is {e} from
        in what city was {e} born / what is the birthplace of {e}
    """,
        "where {e} was born / in which city {e} was born / where {e} comes from / where {e} is from",
    ),
    relation(
        "person",
        "city",
        "{e} lives in {v}. / {e} has lived in {v} for years. / {e} moved to {v}.",
        """
        where does {e} live / in which town does {e} live / where is {e} living / in which city does {e} live
        where did {e} move to / what town does {e} live in
    """,
        "where {e} lives / in which city {e} lives / which town {e} lives in",
    ),
    relation(
        "person",
        "year",
        "{e} was born in {v}. / {e} was born in the year {v}.",
        """
        when was {e} born / in which year was {e} born / what year was {e} born / in what year was {e} born
        which year was {e} born in
    """,
        "when {e} was born / in which year {e} was born / what year {e} was born",
    ),
    relation(
        "person",
        "year",
        "{e} died in {v}. / {e} died in the year {v}.",
        """
        when did {e} die / in which year did {e} die / what year did {e} die / in what year did {e} die
    """,
        "when {e} died / in which year {e} died / what year {e} died",
    ),
    relation(
        "person",
        "subject",
        "{e} studied {v}. / {e} teaches {v}. / {e} has a degree in {v}.",
        """
        what did {e} study / which subject did {e} study / what does {e} teach / what subject does {e} teach
        in what does {e} have a degree
    """,
        "what {e} studied / which subject {e} teaches / what {e} teaches",
    ),
    relation(
        "person",
        "language",
        "{e} speaks {v}. / {e} speaks {v} at home. / {e} is learning {v}.",
        """
        which language does {e} speak / what language does {e} speak / what does {e} speak at home
        which language is {e} learning / what languages does {e} know
    """,
        "which language {e} speaks / what language {e} speaks / what {e} speaks",
    ),
    relation(
        "person",
        "city",
        "{e} works in {v}. / {e} has an office in {v}. / {e} works at the office in {v}.",
        """
        where does {e} work / in which city does {e} work / where is the office of {e} / where is {e} working
        in what town does {e} work
    """,
        "where {e} works / in which city {e} works",
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
        "place",
        "food",
        "{e} sells {v}. / {e} is known for its {v}. / {e} offers {v}. / {e} serves {v}.",
        """
        what does {e} sell / what can I buy at {e} / what does {e} offer / what is {e} known for / what does {e} serve
        what can I get at {e} / what do they sell at {e}
    """,
        "what {e} sells / what {e} offers / what {e} is known for / what {e} serves",
    ),
    relation(
        "event",
        "clock",
        "{e} starts at {v}. / {e} begins at {v}. / The start of {e} is at {v}.",
        """
        when does {e} start / at what time does {e} start / when does {e} begin / what time does {e} begin
        at what hour does {e} begin / what time is the start of {e} / what time does {e} start
    """,
        "when {e} starts / what time {e} begins / at what time {e} starts / when {e} begins",
    ),
    relation(
        "event",
        "clock",
        "{e} ends at {v}. / {e} finishes at {v}. / {e} is over at {v}.",
        """
        when does {e} end / at what time does {e} end / when does {e} finish / when is {e} over
        what time is {e} over / what time does {e} end
    """,
        "when {e} ends / what time {e} finishes / when {e} is over",
    ),
    relation(
        "event",
        "date",
        "{e} takes place on {v}. / {e} is on {v}. / {e} is held on {v}. / {e} will be held on {v}.",
        """
        when does {e} take place / when is {e} / on which date is {e} / what is the date of {e}
        on what day does {e} take place / when is {e} held / what day is {e}
    """,
        "when {e} takes place / when {e} is / on which date {e} is held / the date of {e}",
    ),
    relation(
        "event",
        "person",
        "{e} was won by {v}. / {v} won {e}. / The winner of {e} is {v}.",
        """
        who won {e} / who is the winner of {e} / by whom was {e} won / who was the winner of {e}
        who came first in {e} / who has won {e}
    """,
        "who won {e} / who the winner of {e} is / by whom {e} was won",
    ),
    relation(
        "event",
        "duration",
        "{e} lasts {v}. / {e} takes {v}. / {e} goes on for {v}.",
        """
        how long does {e} last / how long does {e} take / how long is {e} / how much time does {e} take
        how long does {e} go on / what is the duration of {e}
    """,
        "how long {e} lasts / how long {e} takes / how much time {e} takes",
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
    relation(
        "place",
        "seats",
        "{e} has room for {v}. / {e} holds {v}. / {e} has space for {v}.",
        """
        how many people fit into {e} / how many people does {e} hold / what is the capacity of {e}
        how much room is there in {e} / how big is {e}, how many people does it hold
        how many guests does {e} have room for
    """,
        "how many people {e} holds / how many guests {e} has room for / what the capacity of {e} is",
    ),
    relation(
        "place",
        "clock",
        """
        The last bus to {e} leaves at {v}. / The last train to {e} departs at {v}.
        The first bus to {e} leaves at {v}.
    """,
        """
        when does the bus to {e} leave / when does the train to {e} depart / at what time does the bus to {e} leave
        when is the train to {e} / what time does the bus to {e} go / how late does the bus to {e} go
    """,
        """
        when the bus to {e} leaves / when the train to {e} departs / what time the bus to {e} leaves
    """,
    ),
    relation(
        "place",
        "clock",
        "The parcel for {e} arrives at {v}. / The delivery for {e} comes at {v}.",
        """
        when does the parcel for {e} arrive / when does the delivery for {e} come
        what time does the delivery for {e} come / at what time does the parcel for {e} arrive
        when is the delivery for {e}
    """,
        "when the parcel for {e} arrives / when the delivery for {e} comes",
    ),
    relation(
        "person",
        "animal",
        "{e} has a {v}. / {e} owns a {v}. / {e} keeps a {v}.",
        """
        which pet does {e} have / what animal does {e} have / what kind of pet does {e} own
        which animal does {e} keep / what pet does {e} have
    """,
        "which pet {e} has / what animal {e} keeps / what kind of animal {e} owns",
    ),
    relation(
        "person",
        "food",
        "{e} likes {v}. / {e} loves {v}. / {e} eats a lot of {v}. / {e} prefers {v}.",
        """
        what does {e} like / what does {e} like to eat / which food does {e} love / what does {e} prefer
        what does {e} eat / what food does {e} like
    """,
        "what {e} likes / what {e} likes to eat / which food {e} prefers",
    ),
    relation(
        "person",
        "person",
        "{e} is married to {v}. / {e} is the child of {v}. / {e} works with {v}.",
        """
        to whom is {e} married / who is {e} married to / with whom does {e} work / who does {e} work with
        whose child is {e}
    """,
        "who {e} is married to / with whom {e} works / who {e} works with",
    ),
    relation(
        "nature",
        "city",
        "{e} flows through {v}. / {e} runs past {v}. / {e} begins near {v}.",
        """
        through which town does {e} flow / past which town does {e} run / where does {e} begin / where does {e} flow
        which town does {e} flow through
    """,
        "through which town {e} flows / where {e} begins / past which town {e} runs",
    ),
)

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
