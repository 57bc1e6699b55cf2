"""Still further questions about every relation, for training alone: direct, indirect, and by a noun.

A noun is what the question is about, such as `the opening time of {e}`; `asking.py` puts it into questions. The key of
each entry is the first direct question of its relation.
"""

from __future__ import annotations

ASKED: dict[str, tuple[str, str, str]] = {
    "when does {e} open": (
        """
        how early can I get into {e} / from what time can we visit {e}
        what are the opening times of {e}, when do they start / is {e} open early, and from when
        when do the doors of {e} get unlocked / how soon does {e} let people in
        at what time do they let visitors into {e} / when should I be at {e} to be the first
        """,
        "when the doors of {e} get unlocked / from what time {e} lets people in / how early I can get into {e}",
        "the hour when {e} opens / the time from which {e} is open",
    ),
    "when does {e} close": (
        """
        how late can I stay at {e} / what time do they lock {e} / at what time are the doors of {e} locked
        when is it too late to go to {e} / when do they lock up at {e} / is {e} open late, and till when
        at what time do the lights go out at {e} / when will they send me out of {e}
        """,
        "how late I can stay at {e} / what time they lock {e} / when it is too late to go to {e}",
        "the closing time of {e} / the hour when {e} closes / the time until which {e} is open",
    ),
    "on which day is {e} closed": (
        """
        which day should I not go to {e} / is there a day when {e} is not open, and which
        when does {e} take a day off / on what day will I find {e} closed
        which day of the week is the rest day of {e} / what day is {e} not open
        """,
        "what day {e} is not open / when {e} has its day off / which day I should not go to {e}",
        "the day on which {e} is closed / the rest day of {e} / the day off of {e}",
    ),
    "how high is {e}": (
        """
        how many metres does {e} rise / how far up does {e} reach / how high up is the top of {e}
        is {e} high, and how high / how much does {e} measure in height / how high would I be on top of {e}
        how tall does {e} get
        """,
        "how far up {e} reaches / how tall {e} gets / how high I would be on top of {e}",
        "the height of {e} / the height to which {e} rises / the altitude of {e}",
    ),
    "how deep is {e}": (
        """
        how far is it to the bottom of {e} / how deep does {e} get / is {e} deep, and how deep
        how deep can I dive in {e} / what depth does {e} have / how far below lies the bottom of {e}
        """,
        "how far it is to the bottom of {e} / what depth {e} has / how deep I can dive in {e}",
        "the depth of {e} / the depth to which {e} goes / the greatest depth of {e}",
    ),
    "how long is {e}": (
        """
        how far is it from one end of {e} to the other / what length does {e} have / over what length does {e} run
        is {e} long, and how long / how far can I follow {e} / how much does {e} measure in length
        """,
        "how far it is from one end of {e} to the other / what length {e} has / over what length {e} runs",
        "the length of {e} / the full length of {e} / the distance from end to end of {e}",
    ),
    "how many people live in {e}": (
        """
        how many have their home in {e} / to how many people is {e} home / how many were counted in {e}
        what population does {e} have / is {e} large, and how many live there / how many souls does {e} have
        """,
        "how many have their home in {e} / what population {e} has / how many were counted in {e}",
        "the population of {e} / the number of people in {e} / the number of people who live in {e}",
    ),
    "who runs {e}": (
        """
        who has charge of {e} / who takes care of business at {e} / whom do I ask for at {e}, the person who runs it
        who holds the reins of {e} / who has the say at {e} / who keeps {e} going / under whom does {e} work
        """,
        "who has the say at {e} / who keeps {e} going / under whom {e} works / who is at the head of {e}",
        "the person who runs {e} / the manager of {e} / the head of {e}",
    ),
    "who owns {e}": (
        """
        to whom was {e} sold / who holds {e} / who can call {e} their own / whose name is on the deed of {e}
        who got {e} / who is named as owner of {e} / is {e} owned by anyone, and by whom
        """,
        "who holds {e} / who can call {e} their own / to whom {e} was sold / who has {e}",
        "the owner of {e} / the person who owns {e} / the name of the owner of {e}",
    ),
    "what does {e} sell": (
        """
        what can I find on the shelves of {e} / what do they have at {e} / what does {e} have on sale
        what does {e} stock / what does {e} make its money with / what would I buy at {e}
        what goods are there at {e} / what is {e} known for selling
        """,
        "what {e} has on sale / what they have at {e} / what goods there are at {e} / what {e} stocks",
        "the goods that {e} sells / the things on sale at {e} / the offer of {e}",
    ),
    "when does {e} start": (
        """
        by when should I be at {e} / when must I be there for {e} / when do we start {e} / how early does {e} begin
        when will {e} begin / when is {e} going to start / at what hour does {e} get under way
        when do things begin at {e}
        """,
        "by when I should be at {e} / when {e} will begin / when {e} is going to start / how early {e} begins",
        "the start of {e} / the time when {e} starts / the starting time of {e}",
    ),
    "when does {e} end": (
        """
        when can I leave {e} / when do people go home from {e} / how late will {e} go on / by when will {e} be over
        when are we done with {e} / when is {e} going to end / up to what time does {e} run
        what time will {e} finish
        """,
        "when I can leave {e} / by when {e} will be over / how late {e} goes on / when {e} will finish",
        "the end of {e} / the time when {e} ends / the hour at which {e} is over",
    ),
    "when does {e} take place": (
        """
        which day should I keep free for {e} / when should I come to {e} / for when did they plan {e}
        when do we meet for {e} / what day did they pick for {e} / when is it time for {e}
        on what day can I go to {e} / when is {e} planned
        """,
        "which day I should keep free for {e} / for when they planned {e} / when I should come to {e}",
        "the date of {e} / the day of {e} / the day when {e} takes place",
    ),
    "who won {e}": (
        """
        who took the prize at {e} / who beat all the others at {e} / who finished first at {e}
        who went home from {e} as winner / whom did nobody beat at {e} / who is the lucky winner of {e}
        who was the best at {e}
        """,
        "who took the prize at {e} / who finished first at {e} / who was the best at {e}",
        "the winner of {e} / the person who won {e} / the name of the winner of {e}",
    ),
    "how long does {e} last": (
        """
        how much time will I spend at {e} / how much time does {e} need / how much time should I plan for {e}
        is {e} long, and how long does it take / how long does {e} take from start to end
        how long are people busy with {e}
        """,
        "how much time {e} needs / how long {e} will take / how much time I should plan for {e}",
        "the duration of {e} / the time that {e} takes / the running time of {e}",
    ),
    "how many people fit into {e}": (
        """
        for how many was {e} built / how many may come into {e} / with how many is {e} full
        how many find room in {e} / how large a crowd can {e} take / what number can {e} hold
        for how many is {e} large enough
        """,
        "for how many {e} was built / how many find room in {e} / what number {e} can hold",
        "the capacity of {e} / the number of people who fit into {e} / the limit of visitors of {e}",
    ),
    "when does the bus to {e} leave": (
        """
        when do I have to be at the bus to {e} / which bus should I take to {e} / by when must I catch the bus to {e}
        how early does the bus to {e} leave / when will the bus to {e} set off / at what time is there a bus to {e}
        """,
        "when I have to be at the bus to {e} / when the bus to {e} sets off / at what time there is a bus to {e}",
        "the departure of the bus to {e} / the departure time of the bus to {e} / the time of the bus to {e}",
    ),
    "when does the parcel for {e} arrive": (
        """
        when will they bring the parcel for {e} / until when must I wait for the parcel for {e}
        when does the courier come with the parcel for {e} / at what time can {e} expect the parcel
        """,
        "until when I must wait for the parcel for {e} / when they bring the delivery for {e}",
        "the arrival of the parcel for {e} / the arrival time of the parcel for {e} / the time of delivery for {e}",
    ),
    "through which town does {e} flow": (
        """
        which town has {e} running through it / where can I see {e} on its way
        in which town would I find the banks of {e} / what town does {e} cross / which place does {e} wind through
        by which town does {e} flow
        """,
        "which town has {e} running through it / what town {e} crosses / by which town {e} flows",
        "the town on {e} / the town through which {e} flows / the town that {e} passes",
    ),
    "how much is {e}": (
        """
        how much should I have with me for {e} / what will I be charged for {e} / how much does {e} sell for
        what sum buys {e} / what does one pay for {e} / is {e} cheap, and how much is it / what does {e} come to
        what would {e} set me back
        """,
        "what one pays for {e} / what {e} sells for / how much I will be charged for {e} / what sum buys {e}",
        "the price of {e} / the cost of {e} / the amount to pay for {e}",
    ),
    "how heavy is {e}": (
        """
        how much would I carry with {e} / how many kilos is {e} / what do the scales say for {e}
        is {e} heavy, and how heavy / what does {e} come to on the scales / how much is {e} in weight
        """,
        "what the scales say for {e} / how much I would carry with {e} / what {e} comes to on the scales",
        "the weight of {e} / the exact weight of {e} / the weight that {e} has",
    ),
    "when was {e} built": (
        """
        when was {e} put up / when did {e} come into being / when was {e} finished / since which year does {e} exist
        when was the first stone of {e} laid / in which year did they make {e} / from which time is {e}
        is {e} old, and from when
        """,
        "when {e} was put up / since which year {e} exists / in which year they made {e} / when {e} was finished",
        "the year when {e} was built / the building year of {e} / the year of {e}",
    ),
    "who designed {e}": (
        """
        who thought up the look of {e} / who made the plans for {e} / who gave {e} its shape
        from whom is the design of {e} / who sketched {e} / whose plans were used for {e}
        """,
        "who gave {e} its shape / whose plans were used for {e}",
        "the designer of {e} / the person who designed {e} / the name of the designer of {e}",
    ),
    "who founded {e}": (
        """
        who created {e} / who brought {e} into being / with whom did {e} begin / who was behind the start of {e}
        to whom does {e} owe its start / who got {e} going in the first place
        """,
        "who created {e} / who brought {e} into being / with whom {e} began",
        "the founder of {e} / the person who founded {e} / the name of the founder of {e}",
    ),
    "who invented {e}": (
        """
        who thought of {e} first / who dreamt up {e} / who holds the patent for {e} / to whom do we owe {e}
        who made the first {e} / from whom came the idea for {e}
        """,
        "who thought of {e} first / who dreamt up {e} / to whom we owe {e}",
        "the inventor of {e} / the person who invented {e} / the name of the inventor of {e}",
    ),
    "who discovered {e}": (
        """
        who came upon {e} / who spotted {e} first / who brought {e} to light / who is named as the discoverer of {e}
        who first described {e} / to whom do we owe the discovery of {e}
        """,
        "who came upon {e} / who spotted {e} first / who brought {e} to light",
        "the discoverer of {e} / the person who discovered {e} / the name of the discoverer of {e}",
    ),
    "where is {e}": (
        """
        where must I go to see {e} / to what place do I travel for {e} / in what town is {e} found
        which town is home to {e} / where would one look for {e} / which town has {e} / where on the map is {e}
        where was {e} set up / whereabouts is {e}
        """,
        "where one finds {e} / which town has {e} / where I must go to see {e} / whereabouts {e} is",
        "the town where {e} is / the place of {e} / the location of {e}",
    ),
    "how many batteries does {e} need": (
        """
        how many batteries must I buy for {e} / how many batteries should I put into {e}
        how many batteries power {e} / what number of batteries does {e} hold
        how many batteries are there inside {e}
        """,
        "how many batteries I must buy for {e} / how many batteries power {e} / how many batteries {e} holds",
        "the number of batteries in {e} / the number of batteries that {e} needs / the batteries of {e}",
    ),
    "what is {e} made of": (
        """
        what did they use to make {e} / what did the makers choose for {e} / what is used for {e} / what stuff is {e}
        what do I need to make {e} / what material did they take for {e} / of which material is {e}
        """,
        "what they used to make {e} / what material they took for {e} / what is used for {e}",
        "the material of {e} / the stuff of which {e} is made / the material that was used for {e}",
    ),
    "what colour is {e}": (
        """
        how was {e} painted / by what colour do I know {e} / what colour was chosen for {e}
        in what colour do they make {e} / what colour did {e} get / what colour will I see on {e}
        {e} comes in what colour
        """,
        "what colour was chosen for {e} / by what colour I know {e} / in what colour they make {e}",
        "the colour of {e} / the colour in which {e} comes / the paint colour of {e}",
    ),
    "how long is the warranty of {e}": (
        """
        for how long does the maker repair {e} for free / how long is {e} covered / when does the warranty on {e} end
        how much warranty do I get with {e} / for what time is the warranty of {e} valid
        """,
        "for how long the maker repairs {e} / how long {e} is covered / how much warranty I get with {e}",
        "the length of the warranty of {e} / the warranty time of {e}",
    ),
    "how long does the battery of {e} last": (
        """
        after what time is the battery of {e} flat / how long can I use {e} without a charger
        how long does {e} run on battery / for how long is one charge of {e} enough
        how long can {e} go without power from the wall
        """,
        """
        after what time the battery of {e} is flat / how long {e} runs on battery
        how long I can use {e} without a charger
        """,
        "the battery life of {e} / the time that the battery of {e} lasts / the time on battery of {e}",
    ),
    "who wrote {e}": (
        """
        who penned {e} / whose name is on the cover of {e} / who put {e} on paper / from whom is the text of {e}
        who sat down and wrote {e} / whose writing is {e} / who was it that wrote {e}
        """,
        "who penned {e} / whose name is on the cover of {e} / who put {e} on paper",
        "the author of {e} / the person who wrote {e} / the name of the author of {e}",
    ),
    "who painted {e}": (
        """
        whose brush made {e} / who put {e} on canvas / who is the artist of {e} / who was it that painted {e}
        from whose brush is {e} / who did {e} in oil
        """,
        "whose brush made {e} / who put {e} on canvas / who the artist of {e} is",
        "the painter of {e} / the artist who painted {e} / the name of the painter of {e}",
    ),
    "who composed {e}": (
        """
        who set {e} to music / who made the tune of {e} / from whom are the notes of {e}
        who was it that composed {e} / whose music is {e} / who thought up the tune of {e}
        """,
        "who set {e} to music / who made the tune of {e} / whose music {e} is",
        "the composer of {e} / the person who composed {e} / the name of the composer of {e}",
    ),
    "where was {e} born": (
        """
        where are the roots of {e} / where did {e} see the light of day / which place is {e} a child of
        where was the birth of {e} / from which town does {e} hail / which town can claim {e}
        in what town did the life of {e} begin
        """,
        "where the roots of {e} are / from which town {e} hails / in what town the life of {e} began",
        "the birthplace of {e} / the town where {e} was born / the home town of {e}",
    ),
    "where does {e} live": (
        """
        where can I visit {e} at home / where is {e} at home / where does {e} rent a flat / what town is home to {e}
        in what town do I find the house of {e} / where does {e} spend the nights, in which town
        """,
        "where {e} is at home / where I can visit {e} at home / what town is home to {e}",
        "the town where {e} lives / the home of {e} / the place where {e} lives",
    ),
    "when was {e} born": (
        """
        which year saw the birth of {e} / in which year did the life of {e} begin / what year was {e} born
        from which year is {e} / when did {e} see the light of day / when was the birth of {e}
        what year stands in the papers of {e} as the year of birth
        """,
        "which year saw the birth of {e} / in which year the life of {e} began / when the birth of {e} was",
        "the birth year of {e} / the year when {e} was born / the year of birth of {e}",
    ),
    "when did {e} die": (
        """
        which year saw the death of {e} / when did the life of {e} end / when was {e} buried
        since when has {e} been dead / up to which year did {e} live / in which year was {e} mourned
        what was the last year of {e}
        """,
        "which year saw the death of {e} / when the life of {e} ended / since when {e} has been dead",
        "the year of death of {e} / the year when {e} died / the last year of {e}",
    ),
    "what did {e} study": (
        """
        in what field is {e} trained / what did {e} choose at university / in which subject did {e} pass the exams
        what is the field of {e} / what did {e} learn at university / what has {e} taught for years
        in what is the degree of {e}
        """,
        "in what field {e} is trained / what {e} chose at university / what the field of {e} is",
        "the subject of {e} / the subject that {e} studied / the field of {e}",
    ),
    "which language does {e} speak": (
        """
        in which language should I write to {e} / in what language is {e} fluent / what do they speak with {e}
        in what language will {e} answer / what language did {e} grow up with / what language is spoken by {e}
        """,
        "in which language I should write to {e} / in what language {e} is fluent / what language is spoken by {e}",
        "the language of {e} / the language that {e} speaks / the language in which {e} talks",
    ),
    "where does {e} work": (
        """
        where did {e} find work / where does {e} earn a living / where is the workplace of {e}
        to which town does {e} go for work / where would I meet {e} at work / where is the desk of {e}
        in what town is the firm of {e}
        """,
        "where {e} found work / where {e} earns a living / to which town {e} goes for work",
        "the workplace of {e} / the town where {e} works / the place of work of {e}",
    ),
    "which pet does {e} have": (
        """
        what sort of pet is there at the house of {e} / what animal did {e} buy / what animal does {e} feed every day
        with what animal does {e} share the house / what is the animal of {e} / {e} owns what kind of animal
        """,
        "what animal {e} feeds every day / what animal {e} bought / with what animal {e} shares the house",
        "the pet of {e} / the animal of {e} / the animal that {e} has",
    ),
    "what does {e} like": (
        """
        what can {e} not get enough of / what should I cook for {e} / what would please {e}
        what does {e} always order / with what food can I please {e} / what makes {e} happy at dinner
        what does {e} like best
        """,
        "what {e} cannot get enough of / what I should cook for {e} / what {e} always orders / what {e} likes best",
        "the favourite food of {e} / the food that {e} likes / the favourite dish of {e}",
    ),
    "to whom is {e} married": (
        """
        whom did {e} take in marriage / who is {e} married to / with whom does {e} share a life
        who wears a ring from {e} / at the wedding of {e}, whom did {e} marry / is {e} married, and to whom
        """,
        "whom {e} took in marriage / with whom {e} shares a life / who {e} is married to",
        "the partner of {e} / the person to whom {e} is married / the name of the partner of {e}",
    ),
}
