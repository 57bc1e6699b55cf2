"""Small talk: greetings, thanks, questions about the assistant itself, and goodbyes, each with one fixed reply."""

from __future__ import annotations

import random

from . import variety
from .dialogs import Dialog, Side, plain
from .phrasing import Phrasings, capitalized, phrasings

TALK: tuple[tuple[Phrasings, str], ...] = (
    (
        phrasings("""
        hi / hello / hey / good morning / good evening / hi there / hello there / hey there / good afternoon
        greetings / good day / hiya / hello again / hi, nice to see you / hello you / morning / evening / howdy
        hey you / hello assistant / hi again / hey, good morning / hello hello / welcome back / hi [bot|assistant]
        good to see you / hey hey / hi, good evening / yo / hello friend
    """),
        "Hello! How can I help you?",
    ),
    (
        phrasings("""
        thanks / thank you / thanks a lot / thank you very much / many thanks / thank you so much / great, thanks
        thanks for your help / perfect, thank you / that helps, thanks / thanks, that was helpful / that was helpful
        thank you for your help / I appreciate it / cheers / very kind of you / thanks, that is all I needed
        wonderful, thanks / you helped me a lot / that is great, thank you / ok thanks / thanks so much / nice, thanks
        thank you, that was [useful|good|great] / thanks again / good job, thanks / much appreciated
        [really|very] helpful, thank you / great help / excellent, thank you
    """),
        "You are welcome.",
    ),
    (
        phrasings("""
        who are you / what are you / what is your name / are you a robot / who am I talking to / introduce yourself
        tell me about yourself / what should I call you / are you human / are you a person / do you have a name
        what's your name / who is this / what kind of assistant are you / are you a computer / which model are you
        are you [an AI|a machine] / who made you / what model is this / am I talking to a machine / say who you are
        are you real / what do they call you / tell me who you are / what exactly are you
    """),
        "I am the small built-in model of Altiplano.",
    ),
    (
        phrasings("""
        what can you do / how can you help me / what are you able to do / what are your skills / help
        what can I ask you / what do you do / how do you work / which tasks can you do / what are you good at
        what can you help me with / what are your abilities / show me what you can do / what do you know
        tell me what you can do / what are you for / can you help me / what is it you can do
        what kind of things can you do / how can I use you / I need help / what else can you do / list your skills
        what could you do for me / give me an idea of what you can do
    """),
        "I can answer from passages, search, run code, call tools, summarize and remember what you tell me.",
    ),
    (
        phrasings("""
        goodbye / bye / see you / see you later / bye bye / have a nice day / good night / talk to you later
        until next time / I have to go / see you tomorrow / that's all, bye / take care / farewell / I am leaving now
        so long / catch you later / until tomorrow / I am done, bye / have a good evening / ok bye / see you soon
        good bye then / I must go now / bye for now
    """),
        "Goodbye!",
    ),
    (
        phrasings("""
        how are you / how are you doing / how is it going / how do you feel / are you well / how's it going
        how are you today / how have you been / are you ok / how do you do / how's your day / what's up
        everything fine / are you having a good day / how is your day going / how are things / you all right
        doing well / how was your day / feeling good / are you fine / is everything ok with you / how goes it
        how's life / how are you feeling
    """),
        "I am fine, thank you. How can I help you?",
    ),
    (
        phrasings("""
        ok / okay / I see / all right / good / great / fine / nice / cool / understood / got it / perfect / very good
        wonderful / sounds good / that's nice / that is good / excellent / interesting / good to know / right
        well done / ah, I see / makes sense / ok, good
    """),
        "Good. Tell me if you need anything else.",
    ),
    (
        phrasings("""
        tell me a joke / do you know a joke / make me laugh / say something funny / a joke please / be funny
        have you got a joke / I want to hear a joke / tell a joke / give me a joke / know any jokes
        can you tell jokes / cheer me up / entertain me / say a joke
    """),
        "A llama walks up a hill. At the top it asks: is this the plain?",
    ),
)
MARKS = ("", "", ".", "!", "?")


def exchange(rng: random.Random, side: Side) -> tuple[str, str]:
    """Return something people say in passing and the reply to it."""
    source, reply = rng.choice(TALK)
    said = source.extended(variety.TALK[reply]).draw(rng, side.wording)
    asks = said.startswith(("who", "what", "how", "are", "which", "can", "do ", "is ", "am "))
    said = said + (rng.choice(("?", "?", "?", "")) if asks else rng.choice(("", ".", "!", "!")))
    if rng.random() < 0.15:
        said = rng.choice(("Hey, ", "Hi, ", "Hello, ", "OK, ", "So, ")) + said
    return (capitalized(said) if rng.random() < 0.7 else said), reply


def chatting(rng: random.Random, side: Side) -> Dialog:
    """Return one exchange of small talk."""
    said, reply = exchange(rng, side)
    return plain("small_talk", said, reply)
