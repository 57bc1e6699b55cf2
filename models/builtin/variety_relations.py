"""Further ways to state and to ask what `relations.py` knows, for training alone.

Each entry belongs to the relation whose first direct question is its key, and holds statements, direct and indirect
questions, which may be empty.
"""

from __future__ import annotations

from .variety_people import PEOPLE

MORE: dict[str, tuple[str, str, str]] = {
    "when does {e} open": (
        """
        {e} lets people in from {v} on. / From {v} on {e} is open. / Visitors can enter {e} from {v}.
        Opening time of {e}: {v}. / {e} starts the day at {v}, when it opens. / At {v} {e} opens.
        """,
        """
        what is the opening time of {e} / from when on can I visit {e} / when can people enter {e}
        when do they open {e} / {e}, when does it open / at which hour does {e} open / since what hour is {e} open
        when will {e} be open / what's the earliest I can enter {e} / tell me the opening time of {e}
        """,
        "when they open {e} / how early {e} opens / at which hour {e} opens / when people can enter {e}",
    ),
    "when does {e} close": (
        """
        At {v} {e} closes. / {e} is open until {v}. / {e} stays open till {v}. / Closing time of {e} is {v}.
        Everybody has to leave {e} by {v}.
        """,
        """
        when do the doors of {e} close / till when is {e} open / until what time is {e} open / when will {e} close
        {e}, when does it close / at which hour does {e} shut / when is the closing time of {e}
        how long is {e} open today / by when do I have to leave {e}
        """,
        "until when {e} is open / the closing time of {e} / when they close {e} / till what time {e} is open",
    ),
    "on which day is {e} closed": (
        "Nobody works at {e} on {v}. / {v} is the day on which {e} is closed. / {e} does not open on {v}.",
        """
        on which weekday does {e} stay closed / which day of the week does {e} not open / when does {e} stay closed
        what is the closing day of {e} / on what weekday is {e} shut / {e} is closed on which day
        """,
        "on which weekday {e} is closed / when {e} stays closed / what the closing day of {e} is",
    ),
    "how high is {e}": (
        "The height of {e} is {v}. / {e} stands {v} tall. / The top of {e} lies at {v}. / {e} measures {v} in height.",
        """
        how high does {e} rise / to what height does {e} rise / what's the height of {e} / {e} is how high
        how tall is {e} in metres / at what height is the top of {e} / what is the altitude of {e}
        """,
        "how high {e} rises / to what height {e} rises / how many metres high {e} is / how high up {e} goes",
    ),
    "how deep is {e}": (
        "The depth of {e} is {v}. / {e} goes down {v}. / At its deepest {e} measures {v}. / {e} is up to {v} deep.",
        """
        what's the depth of {e} / how deep down does {e} go / {e} is how deep / how far down does {e} go
        how deep is {e} at its deepest / how many metres deep is {e}
        """,
        "how deep {e} gets / how far down {e} goes / how deep down {e} goes / what the depth of {e} is",
    ),
    "how long is {e}": (
        "The length of {e} is {v}. / {e} measures {v} from end to end. / From end to end {e} has {v}.",
        """
        what's the length of {e} / {e} is how long / how far does {e} stretch / how long is {e} from end to end
        how many metres long is {e}
        """,
        "how far {e} stretches / what the length of {e} is / how long {e} is from end to end",
    ),
    "how many people live in {e}": (
        """
        The population of {e} is {v}. / {v} live in {e}. / {e} counts {v}. / There are {v} in {e}.
        """,
        """
        how big is the population of {e} / how many live in {e} / what's the population of {e} / {e} has how many people
        how many citizens does {e} have / how many people does {e} have / how many people call {e} home
        """,
        """
        how many residents {e} has / how large the population of {e} is / how many people there are in {e}
        how many live in {e}
        """,
    ),
    "who runs {e}": (
        "{v} is in charge of {e}. / {v} leads {e}. / {e} is led by {v}. / The person in charge of {e} is {v}.",
        """
        who looks after {e} / who is responsible for {e} / who heads {e} / by whom is {e} managed / who is {e} run by
        which person runs {e} / who is the boss of {e} / who is at the head of {e}
        """,
        "who leads {e} / who is responsible for {e} / who heads {e} / by whom {e} is managed / who looks after {e}",
    ),
    "who owns {e}": (
        "The owner of {e} is {v}. / {e} is the property of {v}. / {v} bought {e}. / {e} is in the hands of {v}.",
        """
        who's the owner of {e} / by whom is {e} owned / who bought {e} / whose property is {e} / who has {e}
        in whose hands is {e} / which person owns {e}
        """,
        "who the owner of {e} is / whose {e} is / by whom {e} is owned / whose property {e} is",
    ),
    "what does {e} sell": (
        "You can buy {v} at {e}. / At {e} you get {v}. / {v} is sold at {e}. / People go to {e} for {v}.",
        """
        what do people buy at {e} / what is sold at {e} / what is there to buy at {e} / what is on offer at {e}
        what can you get at {e} / what do they offer at {e} / which food does {e} sell / for what do people go to {e}
        """,
        "what is sold at {e} / what I can buy at {e} / what they sell at {e} / what is on offer at {e}",
    ),
    "when does {e} start": (
        "{e} gets going at {v}. / {e} kicks off at {v}. / At {v} {e} begins. / The beginning of {e} is at {v}.",
        """
        when is the beginning of {e} / at what time does {e} begin / at which hour does {e} start / when will {e} start
        {e} starts when / when do they start {e} / when does {e} kick off / from when on is {e}
        """,
        "what time {e} starts / at which hour {e} begins / the start of {e} / when {e} gets going",
    ),
    "when does {e} end": (
        "The end of {e} is at {v}. / {e} goes on until {v}. / At {v} {e} is over. / {e} comes to an end at {v}.",
        """
        when is the end of {e} / until when does {e} go on / at what time is {e} over / {e} ends when
        at which hour does {e} finish / when will {e} be over / how late does {e} end
        """,
        "at what time {e} ends / until when {e} goes on / when the end of {e} is / what time {e} is over",
    ),
    "when does {e} take place": (
        "The date of {e} is {v}. / On {v} there is {e}. / {e} has been set for {v}. / People meet for {e} on {v}.",
        """
        what's the date of {e} / for which date is {e} set / when will {e} be / when do they hold {e}
        {e} is on which date / on which day is {e} / when will {e} take place / which date does {e} have
        """,
        "when {e} is held / what the date of {e} is / on which day {e} takes place / when they hold {e}",
    ),
    "who won {e}": (
        "{v} came first in {e}. / First place in {e} went to {v}. / {v} was the winner of {e}. / In {e} {v} won.",
        """
        who's the winner of {e} / which person won {e} / who got first place in {e} / to whom went first place in {e}
        who was first in {e} / {e} was won by whom
        """,
        "who came first in {e} / who has won {e} / who got first place in {e}",
    ),
    "how long does {e} last": (
        "The duration of {e} is {v}. / {e} is over after {v}. / It takes {v} until {e} is over. / {e} runs for {v}.",
        """
        for how long does {e} go on / what's the duration of {e} / {e} takes how long / how long will {e} take
        how many hours does {e} last / how long does {e} run / after what time is {e} over
        """,
        "how long {e} goes on / the duration of {e} / how long {e} runs / for how long {e} goes on",
    ),
    "how many people fit into {e}": (
        "{v} fit into {e}. / {e} can take {v}. / The capacity of {e} is {v}. / There are places for {v} in {e}.",
        """
        how many people can {e} take / how many fit into {e} / how much space is there in {e}
        what's the capacity of {e}
        for how many people is there room in {e} / how many places does {e} have / how many visitors can {e} hold
        """,
        "how many people fit into {e} / how many {e} can take / the capacity of {e} / how much room {e} has",
    ),
    "when does the bus to {e} leave": (
        "The bus to {e} goes at {v}. / At {v} the train to {e} departs. / The next bus to {e} leaves at {v}.",
        """
        when is the bus to {e} / when can I take the train to {e} / when goes the bus to {e}
        when does the train to {e} go
        at which hour does the train to {e} leave / what time is the bus to {e}
        """,
        "when the bus to {e} goes / at what time the train to {e} leaves / when the train to {e} is",
    ),
    "when does the parcel for {e} arrive": (
        "At {v} the parcel for {e} comes. / The delivery for {e} is due at {v}. / The parcel for {e} is here at {v}.",
        """
        when is the parcel for {e} due / when will the delivery for {e} be here / when do they bring the parcel for {e}
        at which hour does the delivery for {e} arrive
        """,
        "when the delivery for {e} arrives / when the parcel for {e} is due / what time the delivery for {e} comes",
    ),
    "through which town does {e} flow": (
        "{v} lies on {e}. / On its way {e} passes {v}. / {e} starts near {v}. / {e} passes through {v}.",
        """
        which town lies on {e} / which town does {e} pass / what town does {e} run past / near which town does {e} begin
        through what town does {e} run / where does {e} start
        """,
        "which town {e} flows through / which town {e} passes / where {e} flows / near which town {e} starts",
    ),
    "how much is {e}": (
        """
        For {e} one pays {v}. / {e} is {v}. / {e} can be had for {v}. / They ask {v} for {e}. / {v} is the price of {e}.
        """,
        """
        what is the cost of {e} / what do they ask for {e} / how much do they charge for {e} / at what price is {e} sold
        what's the price of {e} / {e} costs how much / what will {e} cost me / how much would I pay for {e}
        """,
        """
        how much I pay for {e} / what the price of {e} is / what they ask for {e} / for how much {e} is sold
        how much money {e} costs
        """,
    ),
    "how heavy is {e}": (
        "The weight of {e} is {v}. / On the scales {e} shows {v}. / {v} is what {e} weighs. / {e} is {v} heavy.",
        """
        what's the weight of {e} / {e} weighs how much / how much weight does {e} have / how heavy would {e} be
        how many kilograms does {e} weigh
        """,
        "what weight {e} has / what the weight of {e} is / how many kilos {e} weighs",
    ),
    "when was {e} built": (
        """
        {e} has been there since {v}. / They built {e} in {v}. / In {v} {e} was opened. / {e} was made in {v}.
        The opening of {e} was in {v}. / {e} goes back to {v}.
        """,
        """
        which year was {e} built / when did they build {e} / in which year was {e} opened
        in which year was {e} founded
        since when has {e} been there / what year was {e} built / when was the opening of {e} / from when is {e}
        when did {e} open / {e} was built when
        """,
        """
        in what year {e} was founded / since when {e} has been there / when they built {e} / which year {e} dates from
        in which year {e} was opened
        """,
    ),
    "who designed {e}": (
        """
        The design of {e} is by {v}. / The designer of {e} is {v}. / {e} is a design by {v}.
        {v} drew the plans for {e}.
        """,
        """
        who drew the plans for {e} / who's the designer of {e} / whose design is {e} / who planned {e}
        which person designed {e} / who was {e} built by / {e} was designed by whom
        """,
        "who the designer of {e} is / by whom {e} was built / who {e} was designed by / who planned {e}",
    ),
    "who founded {e}": (
        "The founder of {e} is {v}. / {e} was set up by {v}. / {v} set up {e}. / {v} started {e}.",
        """
        who's the founder of {e} / by whom was {e} set up / who was {e} started by / which person founded {e}
        who began {e} / {e} was founded by whom
        """,
        "who set up {e} / who the founder of {e} is / by whom {e} was started / which person founded {e}",
    ),
    "who invented {e}": (
        """
        The inventor of {e} is {v}. / {e} is an invention of {v}. / {v} had the idea for {e}.
        The idea for {e} was {v}'s.
        """,
        """
        who's the inventor of {e} / whose invention is {e} / who had the idea for {e} / which person invented {e}
        {e} was invented by whom
        """,
        "who the inventor of {e} is / who {e} was invented by / whose invention {e} is",
    ),
    "who discovered {e}": (
        """
        The first to see {e} was {v}. / {v} found {e}. / {e} was found by {v}.
        The discovery of {e} was made by {v}.
        """,
        """
        who was the first to see {e} / who made the discovery of {e} / by whom was {e} found
        which person discovered {e}
        """,
        "who found {e} / who {e} was discovered by / who was the first to see {e}",
    ),
    "where is {e}": (
        """
        You find {e} in {v}. / The place of {e} is {v}. / {e} can be found in {v}. / {e} lies in {v}.
        In {v} there is {e}.
        """,
        """
        in which city is {e} / what place is {e} in / in which town does {e} stand / where do I find {e} / where's {e}
        where can {e} be found / near what town does {e} lie / {e} is where / where would I find {e}
        in which place is {e}
        """,
        """
        where {e} stands / in which city {e} is / where to find {e} / where {e} can be found / near which town {e} lies
        """,
    ),
    "how many batteries does {e} need": (
        "It takes {v} batteries to run {e}. / {v} batteries go into {e}. / {e} takes {v} batteries.",
        """
        how many batteries go into {e} / how many batteries does {e} take / which batteries does {e} need
        how many batteries are in {e} / on how many batteries does {e} run
        """,
        "how many batteries go into {e} / how many batteries {e} takes / on what {e} runs",
    ),
    "what is {e} made of": (
        "The material of {e} is {v}. / {e} is of {v}. / They made {e} out of {v}. / {v} is what {e} is made of.",
        """
        what material is {e} made of / of what is {e} made / what is the material of {e} / out of what is {e} made
        which material is used for {e} / {e} is made of what / from which material is {e} built
        """,
        "which material {e} consists of / of what {e} is made / the material of {e} / what {e} is built from",
    ),
    "what colour is {e}": (
        "The colour of {e} is {v}. / They painted {e} {v}. / {e} looks {v}. / {e} has the colour {v}.",
        """
        what is the colour of {e} / what's the colour of {e} / in what colour is {e} / {e} has which colour
        what colour does {e} have / which colour did they paint {e} / what colour does {e} come in
        """,
        "the colour of {e} / in which colour {e} comes / what colour {e} has / which colour {e} is",
    ),
    "how long is the warranty of {e}": (
        "For {e} there is a warranty of {v}. / {e} has a guarantee of {v}. / The guarantee of {e} runs for {v}.",
        """
        what's the warranty of {e} / how long a guarantee does {e} have / how long does the guarantee of {e} run
        how many years of warranty does {e} have / what is the warranty on {e} / how long is {e} under warranty
        """,
        "how long the guarantee of {e} is / what guarantee {e} has / how long {e} is under warranty",
    ),
    "how long does the battery of {e} last": (
        "One charge of {e} is enough for {v}. / {e} is charged in {v}. / With a full battery {e} works for {v}.",
        """
        how long does {e} work on one charge / for how long does the battery of {e} last
        how long does it take to charge {e}
        how many hours does the battery of {e} last / what's the battery life of {e}
        """,
        "the battery life of {e} / how long it takes to charge {e} / for how long {e} works on one charge",
    ),
    **PEOPLE,
}
