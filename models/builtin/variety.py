"""Further small talk and things told for training alone; the phrasings of the evaluation stay as they are."""

from __future__ import annotations

from .phrasing import Phrasings, phrasings

TALK: dict[str, Phrasings] = {
    "Hello! How can I help you?": phrasings("""
        hello, are you there / hi, anybody home / good morning to you / a good day to you / hello my friend
        hi, I am back / anyone there / hey, are you awake / hello everyone / hi computer / hey machine / hello model
        hello, it is me / hi, it's me again / pleased to meet you / nice to meet you / hello, new here
        a very good evening
        hey, how nice to see you / salutations / hi there, assistant / hello, my name is not important / wakey wakey
        here I am / I'm here / here I am again / good afternoon to you / hello stranger / hi buddy / what a nice morning
    """),
    "You are welcome.": phrasings("""
        thanks a million / I am grateful / that helped me, thank you / you are very kind
        thank you, you are great / lovely, thanks / thanks, I owe you one / thank you for that / great work, thank you
        that is exactly what I needed / thanks for the quick answer / I thank you / bless you / thanks, friend
        that was useful / that was really good, thank you
        thank you kindly / my thanks / that did it, thanks / thanks, you saved my day / you were a great help
        I really appreciate this / thank you, it works / thanks for all / so helpful, thank you / thank you, friend
        many many thanks / appreciated / thanks for explaining / you have been very helpful
        thanks, I understand it now
        that solved it, thank you / thx / thank you for the answer / I am thankful / bravo, thanks
    """),
    "I am the small built-in model of Altiplano.": phrasings("""
        what sort of program are you / do you have a body
        tell me your name / what name do you have / who is speaking / identify yourself / are you a program
        who built you / where do you come from / are you a human being / am I talking to a human / who created you
        what should people call you / describe yourself / are you alive / who trained you / what is this model called
        may I ask your name / your name, please / how should I address you / what sort of thing are you
        are you software
        are you some kind of program / which assistant is this / say your name / can you introduce yourself
        are you a bot
        is this a human / is there a person behind this / what kind of model are you / by whom were you made
        are you a llama
        what is your purpose in life / which program am I using / tell me what you are / are you a man or a machine
        who is on the other side / how big are you
    """),
    "I can answer from passages, search, run code, call tools, summarize and remember what you tell me.": phrasings("""
        in what way can you help / which things can you do
        what are your features / give me an overview of your skills / what services do you offer
        can you do anything for me / how may you help me / explain what you can do / what may I ask you
        what kind of questions can you answer / what tasks are you made for / is there anything you can do / help me
        what all can you do / how would you be useful to me / what is your job / what are you capable of
        what is possible with you / what are your strengths / what tricks do you know / which functions do you offer
        what would you be able to do for me / tell me your abilities / what should I use you for
        how can you support me
        name some things you can do / what features do you have / what do you offer / explain your abilities
        in which ways can you help me / what sort of work can you do / can I have a list of what you do
        I am lost, help
        what do people use you for / please help me / what are your powers / which questions do you answer
    """),
    "Goodbye!": phrasings("""
        I have to leave / time to go / I am off / good night and goodbye / that was all, goodbye
        talk soon / have a great weekend / I will be back tomorrow
        we are finished, bye / I have to run / bye now / cheerio / later / I must leave you / gotta go
        I am going to bed / I am going home / that is it for today, bye / so, goodbye / let us stop here / until then
        see you on Monday / bye, see you / see you next time / I'm off now / I have no more questions, goodbye / adieu
        it was nice to talk to you, bye / have a good night / have a good day / enjoy your evening / leaving now
        end of chat
        we will talk again / I am finished for today
    """),
    "I am fine, thank you. How can I help you?": phrasings("""
        how are things going / is all well / how is your morning
        how are you feeling today / is everything all right / how is life treating you / you good / you okay
        are you happy / are you feeling well / how have things been / how is your day so far / all well with you
        how do things stand / how are you this morning / how are you this evening / did you sleep well / how is work
        how was your weekend / how was your night / are you in a good mood / how is everything / how does it go
        tell me how you are / how is your week / all fine / are things going well / how are we today / are you tired
        are you still fine / how about you / how is my friend today / is everything fine
    """),
    "Good. Tell me if you need anything else.": phrasings("""
        that is great / amazing / brilliant / lovely / sure / alright then
        that makes sense / oh, I see / awesome / fantastic / very well / that is right / that's fine
        that is interesting / super / I understand / good idea / that works / no problem / yes
        aha / yep / yeah / of course / agreed / true / that is correct / exactly / fair enough / that is clear / clear
        noted / good answer / nice one / impressive / that is wonderful / that's right / that's true / so it is
        I agree
        sounds great / sounds right / not bad / that was quick / well then / ok, understood / I get it
    """),
    "A llama walks up a hill. At the top it asks: is this the plain?": phrasings("""
        please tell me something funny / another joke / can you make me laugh
        do you know something funny / got any jokes / I need a laugh / let me hear a joke
        do you have a funny story / I feel like laughing / amuse me / I would like a joke / are you funny
        make a joke / a funny story, please / can I hear a joke / would you tell me a joke / do you know jokes
        I am bored
        say something to make me smile / let us have some fun / how about a joke / one joke, please / time for a joke
        tell us a joke / what is the best joke you know / I could use a laugh / give me something to laugh about
    """),
}
NAME_ASKED = phrasings("""
    what was the name I told you / who is talking to you / under which name do you know me / what do I go by
    tell me who I am / my name, please / can you still say my name / how did I introduce myself / whats my name
""")
NAME_TOLD = phrasings("""
    I go by {v} / I was named {v} / {v} is what they call me / everyone calls me {v} / hello from {v}
    I am known as {v} / please call me {v} / my friends say {v} to me / you are talking to {v}
""")
LIVES_ASKED = phrasings("""
    where am I living / what town do I live in / do you know where I live / what is my town
    in what place is my home / which place do I live in / remind me where I live
""")
LIVES_TOLD = phrasings("""
    I am living in {v} / {v} is where I live / my house is in {v} / I come from {v}
    I settled in {v} / home for me is {v}
""")
CALLED_ASKED = phrasings("""
    do you remember the name of my {a} / what did I call my {a} / tell me the name of my {a}
    what name has my {a} / which name does my {a} have
""")
CALLED_TOLD = phrasings("""
    the name of my {a} is {v} / I call my {a} {v} / my {a} has the name {v} / we named my {a} {v}
""")
THING_ASKED = phrasings("""
    my {a}, what was it / give me my {a} / repeat my {a} / do you still have my {a} / I need my {a}
    tell me my {a} again / which {a} is mine / what do you have as my {a} / my {a} please
""")
THING_TOLD = phrasings("""
    store my {a}, it is {v}
    I have {v} as my {a} / save this: my {a} is {v} / so you know it, my {a} is {v} / write down that my {a} is {v}
""")
