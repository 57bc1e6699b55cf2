"""Questions that nothing in a prompt answers, for training alone.

Slots: `{p}` a person, `{n}` a name, `{c}` a city, `{e}` any subject, `{d}` a weekday, `{y}` a year, `{f}` a food,
`{t}` a thing, `{v}` an event.
"""

from __future__ import annotations

from .phrasing import phrasings

ASKED = phrasings("""
    who was {p} / what is {p} known for / what did {p} do in {y} / why is {p} famous / when did {p} retire
    is {p} still alive
    how old is {p} / how tall is {p} / what happened to {p} / which books did {p} write / which films is {p} in
    did {p} ever visit {c} / what did {p} say about {n} / who taught {p} / who were the parents of {p}
    is {p} a singer
    did {p} win a medal / which team does {p} play for / where did {p} grow up / what is {p} working on
    who plays {p} in the film
    who discovered the {n} islands / who was king of {n} in {y} / who ruled {n} in {y}
    who was the first mayor of {c}
    what happened in {y} / what happened in {n} in {y} / when did the war of {n} end / why did the {n} war begin
    who fought in the battle of {n} / when was the treaty of {n} signed / how did the old people of {n} live
    who lost in {y}
    which empire did {c} belong to in {y} / what was {c} called in {y} / how old is the city of {c}
    why is {c} called {c}
    where exactly is {n} / in which country is {n} / which sea is near {n} / what is there to see in {c}
    is {n} an island
    which rivers are there in {n} / which mountains are near {c} / is {c} a nice place / what is {c} famous for
    is {c} safe
    which language do they speak in {n} / what do people eat in {n} / what do people in {c} do on {d}
    is there a beach in {c}
    what is a {n} / what does the word {n} mean / what does {n} stand for / what is {n} used for
    how does a {n} work / is {n} real
    why do {n} cells divide / what is the {n} effect / what is the {n} law / who proved the {n} theorem
    how hot is the star {n}
    how far away is the planet {n} / what is inside a {t} / how does a {t} work / why does a {t} make noise
    who built the first {t}
    why is the sky blue / why is the sea salty / how many bones does a cat have / how fast does light travel
    what is an atom
    how do birds find their way / why do leaves fall / what do bees eat / how do plants grow / why do we dream
    what is gravity
    how long do turtles live / what is the largest animal / do fish sleep / why do cats purr / how does a magnet work
    what causes the tides / how old is the moon / is there life on the planet {n} / how was the earth made
    what is the sun made of
    what is the deepest sea / which country is the largest / which desert is the driest / where do the winds begin
    who won on {d} / who won the {v} / who won the {n} cup / who won the {n} cup in {y} / who scored for {c} on {d}
    did {c} win
    how did {c} play on {d} / when does {c} play next / who is the coach of {c} / who leads the {n} league
    who is in the final
    which team won in {y} / who holds the {n} record / what was the score in {c} / how many goals did {p} score
    who lost the {v}
    who sings the song {n} / who is the singer of {n} / what is the film {n} about / who plays in {n}
    is the film {n} any good
    which band made the album {n} / how does the book {n} end / how many pages does {n} have / who directed {n}
    when did {n} come out
    what is on television on {d} / what is on at the cinema in {c} / what is in the papers today
    what is new in the world
    what is going on in {c} / any news from {c} / what did they decide in {c} on {d} / who was elected in {c}
    who runs {n} these days
    what do you think of {n} / which is better, {n} or {c} / is {n} better than {c} / is {f} good for me
    should I eat {f} on {d}
    should I buy a {t} / should I move to {c} / should I read {n} / what is the best {t}
    what is the best book about {n}
    what is your opinion of {p} / do you like {n} / what would you do in {c} / which {t} do you like
    is it wise to trust {n}
    how do I cook {f} / how do I grow {f} / how do I repair a {t} / how do I clean a {t} / how do I open a {n} file
    how do I learn {n} / what goes well with {f} / is there sugar in {f} / where does {f} come from / can dogs eat {f}
    how do I get rid of mice / how do I tie a knot / how do I fix my {t} / why is my {t} broken
    what is wrong with my {t}
    is {e} worth a visit / who is at {e} right now / is {e} open right now / is {e} crowded on {d} / who works at {e}
    can I bring a dog to {e} / are there photos of {e} / what do people say about {e} / what is {e}
    tell me about {e}
    tell me something about {n} / tell me about {p} / tell me about {c} / tell me the story of {n}
    tell me who {p} is
    explain {n} / explain what {n} is / explain how a {t} works / describe {c} / describe {p}
    give me facts about {n}
    who is this {p} / {n}, what is that / {c}, where is that / ever heard of {n} / do you know {p}
    do you know {n}
    have you heard of {p} / have you been to {c} / are there wolves in {n} / are there trains in {n}
    is there gold in {n}
    does {n} have a king / does {c} have a metro / did {n} exist in {y} / was {p} ever in {c} / will {n} win on {d}
    what will happen in {y} / who will win the {v} / will it be a good year / when will the next {v} be
    what is the plan for {y}
    what is the meaning of life / what day is it / what is the date today / what year is it / which month is it
    is it late
    what did I have for lunch / where did I put my {t} / who called me on {d} / when is my next meeting
    did anyone write to me
    when is the birthday of {p} / what is the phone number of {p} / where can I meet {p} / what is the email of {p}
    what is the wifi password at {e} / what is the door code of {e} / which bus goes to {e} / who has the key to {e}
    at what age did {p} die / of what did {p} die / with whom did {p} work in {y} / whose idea was {n}
    for whom was {n} built
    how many moons does {n} have / how many wives did {p} have / how many films did {p} make
    how many books are in {e}
    how big is a {n} / how deep is the sea at {c} / how long is the wall of {n} / how high is the tower of {c}
    how fast is a {n}
    since when is {n} free / until when did {n} exist / by whom was {n} found / out of what do they make {n}
""")
"""What no custom tool serves."""

OPEN = phrasings("""
    what is the weather like in {c} / will it rain in {c} on {d} / how cold is it in {n} / is it snowing in {c}
    is it windy at {e} / how warm will it be on {d} / what was the weather in {c} in {y}
    when does the sun rise in {c}
    what does a {t} cost / how much is a {t} in {c} / what is the price of {f} / how much is a ticket to {n}
    is {f} cheap in {c}
    how much does {p} earn / what is {n} worth / how expensive is {c} / what did a {t} cost in {y}
    what is the rent in {c}
    how many people live in {n} / how big is {c} / what is the population of {n} / how many tourists visit {c}
    how far is {n} from {c} / how long does it take from {c} to {n} / is there a train to {n}
    when is the next flight to {c}
    how do I get to {e} / which is the fastest way to {n} / is the road to {n} open / what is the stock price of {n}
    how many dollars is a {n} / how do you say {f} in {n} / what is {n} in English / what time is it in {n}
""")
"""What some custom tools would serve, so that it is asked without any."""
