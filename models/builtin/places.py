"""Places and events: opening hours, sizes, dates and who runs them.

Every entry is data in the form of `facts.relation`; slots are `{e}` for the subject and `{v}` for the value.
"""

from __future__ import annotations

from .facts import Relation, relation

PLACES: tuple[Relation, ...] = (
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
