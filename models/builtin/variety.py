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
        here I am / I'm here / here I am again / good afternoon to you / hello stranger / hi buddy
        what a nice morning
        hello there, how nice / hello to you too / good morning, assistant / good evening to you all
        morning everyone / hi hi / heya / heyo / hallo / helloo / hellooo / hiii / hi! / Hello! / HELLO / HI / hey :)
        hello :-) / hi there!! / good morning, sunshine / good afternoon, friend / good evening, machine
        a good morning to you / top of the morning / hello old friend / hello dear / hello sir / hello world
        hello chat / hello Altiplano / hi Altiplano / hi model / hello from me / greetings to you / my greetings
        warm greetings / welcome / hi, first time here / I just arrived / I have come to say hello
        I wanted to say hello / just saying hi / I say hello / let me greet you / a quick hello
        hi, I have not been here before / we have not met yet, hello / it is good to be here / glad to be back
        back again / knock knock, hello / hello, do you hear me / can you hear me / do you read me / testing, hello
        hello, can we talk / can we talk / may I come in / shall we begin / let us begin / let us start / I am ready
        so here we are / happy Monday / happy new year / a fine day today, hello / good morning from the office
        hi from the train / nice to see you again / lovely to meet you / how do we start / are you online / is this on
        is anyone listening
    """),
    "You are welcome.": phrasings("""
        thanks a million / I am grateful / that helped me, thank you / you are very kind
        thank you, you are great / lovely, thanks / thanks, I owe you one / thank you for that / great work, thank you
        that is exactly what I needed / thanks for the quick answer / I thank you / bless you / thanks, friend
        that was useful / that was really good, thank you
        thank you kindly / my thanks / that did it, thanks / thanks, you saved my day / you were a great help
        I really appreciate this / thank you, it works / thanks for all / so helpful, thank you / thank you, friend
        appreciated / thanks for explaining / you have been very helpful
        thanks, I understand it now
        that solved it, thank you / thx / thank you for the answer / I am thankful / bravo, thanks
        thank you! / Thank You / THANKS / thanks!! / thanks :) / ty / tysm / thnx / thank u / tanks / thanks mate
        thanks pal / thanks, dear / thanks, assistant / thanks, machine / thanks, model / thank you, assistant
        thank you, dear model / thank you for everything / thanks for everything / thanks for the help
        thanks for the information / thanks for looking / thanks for looking it up / thanks for telling me
        thanks for letting me know / thanks for being so quick / thanks for your time / thanks for your patience
        thank you for your patience / thanks for answering / I wanted to thank you / I want to say thanks
        let me thank you / I have to thank you / I must thank you / I can't thank you enough / I am very thankful
        I am so grateful / I owe you / so very kind of you / so kind / you have been a great help
        you have been useful / you were right, thanks / your answer helped / you made my day
        this is what I was looking for, thanks / this helps a lot, thanks / now I know, thank you
        now it is clear, thanks / with many thanks / with thanks / a big thank you / big thanks / a thousand thanks
        warm thanks / thanks from my heart / all my thanks / thanks once more / and thank you again
        thanks in any case / thanks anyway / thanks, really / thanks, that is what I wanted
        thanks, got what I needed / wow, thanks / oh thank you / ah thanks / right, thanks / yes, thank you
        no, thank you / sweet, thanks / thanks and all the best / you are the best, thanks / well done, thank you
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
        who r u / who are u / what r u / WHO ARE YOU / whats your name / your name? / name? / and you are
        and who are you / who might you be / may I know who you are / who have I got here
        with whom do I have the pleasure / who answers me / who is answering / who is writing to me
        who writes these answers / what is answering me / what am I talking to / what am I chatting with
        whom am I chatting with / is there a human there / is this a real person / is this a bot / is this a program
        are you a chatbot / are you a computer program / are you a language model / are you a big model
        are you a small model / are you artificial / are you a man / are you a woman / are you a girl or a boy
        are you somebody / do you have feelings / do you have a face / do you have a family / do you have parents
        do you live somewhere / where do you live / how old are you / when were you made / who is your maker
        who is your creator / who owns you / who programmed you / who wrote you / which company made you
        what company are you from / who is behind you / under what name are you known / by what name do you go
        what do I call you / how do people call you / what is your full name / tell me something about yourself
        say something about yourself / tell me more about yourself / let me know who you are
        I want to know who you are / I would like to know your name / can you tell me your name
        could you tell me who you are / please introduce yourself / I do not know you, who are you
        we have not met, who are you / remind me who you are / what version are you / what system is this
        which system am I talking to / what is Altiplano's model / what software is this
        which language model are you / what is your model name / what kind of machine are you
        what kind of being are you / you are who / you are what / so who are you / so what are you
        and what is your name / who are you really
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
        what can u do / what do you do? / WHAT CAN YOU DO / I need some help / I need your help
        I could use some help / I could use your help / can I get some help / can you give me a hand
        could you help me / would you help me / will you help me / are you able to help / are you of any use
        what use are you / what good are you / what is the use of you / what would you do for me / what can you offer
        what do you offer me / what should I ask / what should I ask you / what could I ask you / what shall I ask you
        what do I ask you / how do I use this / how do I use you / how does this work / how do you help people
        how can you be of use / how can you be of help / how could you be useful / where can you help me
        with what can you help / what do you help with / what are your talents / what are your functions
        what are your tasks / what are your duties / what are you made for / what were you made for
        what were you built for / what were you trained for / what did they teach you / what have you learned
        what can a model like you do / what can this model do / what does this model do / what does this assistant do
        show me your skills / show your abilities / list your abilities / list your functions / list what you can do
        name your skills / describe your skills / describe what you do / describe what you can do
        explain what you do / explain your skills / tell me your skills / tell me what you do
        tell me how you can help / tell me what I can ask / I want to know what you can do
        I would like to know what you can do / I wonder what you can do / and what can you do / so what can you do
        what can you do well / what can you do best / what can you all do / what is it that you do
        is there a manual for you / do you have instructions / give me some examples of what you do
        what are my options / where do I begin with you / I do not know what to ask / I don't know how to use you
        what would I use you for
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
        byee / byebye / goodbye! / good bye / g'bye / cya / see ya / see u / c u / ciao / ttyl / gtg / bye, friend
        bye, assistant / goodbye, friend / goodbye, my friend / goodbye to you / goodbye and take care / bye all
        bye, and take care / bye then / ok, goodbye / okay bye / well, bye / well, goodbye / alright, bye / right, bye
        fine, bye / I'm leaving / I'm going / I'm out / I am leaving / I am going / I am going now / I am gone
        off I go / here I go / I really must go / I must be going / I should go / I should be going / I need to go
        I need to leave / I have to run, bye / I have to stop now / I have to end here / I have to catch a train, bye
        my bus is here, bye / dinner is ready, bye / time for bed / time to sleep / time to leave / it is time to go
        it is late, good night / sleep well / sweet dreams / night night / have a good one / have a nice day then
        have a nice evening / have a nice weekend / have a lovely day / have a great day / have a pleasant evening
        enjoy the rest of your day / enjoy your day / all the best / best wishes, bye / until we meet again
        until we talk again / until Monday / until next week / see you around / see you there / see you then
        see you next week / see you in the morning / see you tonight / see you another time / we will meet again
        I will see you / I will come back / I will be back / I'll be back later / talk to you soon
        talk to you tomorrow / speak soon / that will be all / that would be all, bye / that is everything, bye
        nothing more, bye / no more questions, bye / we are done, goodbye / we are done here / I am finished, bye
        end of the talk, bye / this is goodbye / let me say goodbye
    """),
    "I am fine, thank you. How can I help you?": phrasings("""
        how are things going / is all well / how is your morning
        how are you feeling today / is everything all right / how is life treating you / you good / you okay
        are you happy / are you feeling well / how have things been / how is your day so far / all well with you
        how do things stand / how are you this morning / how are you this evening / did you sleep well / how is work
        how was your weekend / how was your night / are you in a good mood / how is everything / how does it go
        tell me how you are / how is your week / all fine / are things going well / how are we today / are you tired
        are you still fine / how about you / how is my friend today / is everything fine
        how r u / how are u / how are you? / HOW ARE YOU / hru / how are ya / how you doing / how ya doing / sup
        wassup / whats up / what is up / what's new with you / what is new with you / hows it going / hows life
        hows your day / how's everything / how's it going today / how's the day / how's your evening / how's your week
        how are you now / how are you really / how are you getting on / how are you getting along
        how are you keeping / how are you these days / how are you, friend / how are you, assistant
        how are you, my friend / how are you doing today / how are you doing this morning / and how are you
        and you, how are you / so how are you / so, how is it going / how is it with you / how is it there
        how is it over there / how is your mood / how is your health / how is your afternoon / how is your evening
        how is your life / how is life / how is the day / how is the going / how has your day been
        how has your week been / how have you been lately / how was your morning / how was your evening
        how was your week / how do you feel today / how do you feel right now / do you feel well / do you feel good
        do you feel fine / are you doing well / are you doing fine / are you doing okay / are you all right
        are you alright / are you well today / are you good / are you feeling okay / are you feeling fine
        are you having fun / are you having a good time / is your day good / is it a good day for you / is life good
        is it going well / is it all going well / is all good / all good / all good with you / all good there
        everything okay / everything good / everything alright / everything well / everything ok there
        good day so far / did you have a good day / did you have a nice weekend / had a good day / having a good day
        going well / doing ok / doing fine / feeling fine / I hope you are well / I hope you are doing well
        I hope all is well / hope you are fine / hope you're good / tell me, how are you
    """),
    "Good. Tell me if you need anything else.": phrasings("""
        that is great / amazing / brilliant / lovely / sure / alright then
        that makes sense / oh, I see / awesome / fantastic / very well / that is right / that's fine
        that is interesting / super / I understand / good idea / that works / no problem / yes
        aha / yep / yeah / of course / agreed / true / that is correct / exactly / fair enough / that is clear / clear
        noted / good answer / nice one / impressive / that is wonderful / that's right / that's true / so it is
        I agree
        sounds great / sounds right / not bad / that was quick / well then / ok, understood / I get it
        ok! / OK / ok. / okay! / okey / okay then / ok then / ok, fine / ok, good to know / ok got it / ok cool
        ok great / k / kk / alright / alrighty / all right then / allright / right then / right on / right you are
        righto / very nice / so nice / nice to know / nice to hear / glad to hear it / glad to know / good to hear
        good to have / good stuff / good enough / very well then / well, good / well, fine / fine then / fine by me
        fine with me / works for me / suits me / that suits me / that will do / that'll do / that does it
        that is enough / that is fine / that is all right / that is okay / that's ok / that's okay / that's good
        that's great / that's cool / that's clear / that's it / that's all I need / that is what I thought
        just as I thought / as I thought / I thought so / I knew it / I see now / I see, I see / oh I see / I get that
        I got it / I understand now / I hear you / I follow / I can see that / I believe you / I like it / I like that
        got you / gotcha / roger / copy that / understood, good / it is clear now / now I see / now I get it
        now I understand / so that is how it is / so it seems / so be it / is that so / oh really / oh nice / oh good
        oh wow / wow / whoa / hooray / yay / yes! / yes, good / yes, right / yup / aye / indeed / certainly
        absolutely / definitely / quite so / quite right / quite good / pretty good / really good / really nice
        so good / so cool / much better / that is better / better / great stuff / great to know / perfect then
        splendid / superb / marvellous / terrific / neat / sweet / smart / clever / how interesting / how clever
        very interesting / interesting to know / what a good answer / good work / nice work
    """),
    "A llama walks up a hill. At the top it asks: is this the plain?": phrasings("""
        please tell me something funny / another joke / can you make me laugh
        do you know something funny / got any jokes / I need a laugh / let me hear a joke
        do you have a funny story / I feel like laughing / amuse me / I would like a joke / are you funny
        make a joke / a funny story, please / can I hear a joke / would you tell me a joke / do you know jokes
        I am bored
        say something to make me smile / let us have some fun / how about a joke / one joke, please / time for a joke
        tell us a joke / what is the best joke you know / I could use a laugh / give me something to laugh about
        another one, another joke / one more joke / a new joke / a short joke / a good joke / a bad joke
        a silly joke / a joke for me / a joke, quick / jokes please / tell joke / tell me jokes / tell me a good joke
        tell me a short joke / tell me a silly joke / tell me your best joke / tell me another joke
        tell me one more joke / tell me a funny joke / tell me a joke about animals / tell me a joke, please
        tell me a funny story / tell us something funny / tell me anything funny / please tell a joke
        please make me laugh / please be funny / please amuse me / can you tell a joke / can you tell me a joke
        can you tell me something funny / can you be funny / can you say something funny / could you tell me a joke
        could you make me laugh / would you make me laugh / will you tell me a joke / may I have a joke
        may I hear a joke / could I hear a joke / let's hear a joke / let's have a joke / let me have a joke
        let me hear something funny / do you know any good jokes / do you know a funny one / do you know a good one
        do you have a joke / do you have any jokes / do you have a joke for me / do you tell jokes
        have you any jokes / have you heard a good joke / got a joke / got a good one / got something funny
        know a joke / any jokes / any good jokes / any joke will do / something funny please / something funny
        say something silly / say anything funny / say something that makes me laugh / make us laugh / make me smile
        make me giggle / give me something funny / give me your best joke / give us a joke / I want a joke
        I want to laugh / I want to hear something funny / I need a joke / I need something funny / I need to laugh
        I need cheering up / I feel sad, tell me a joke / I am sad, make me laugh / I am so bored / I'm bored
        it is so boring here / this is boring, tell a joke / I have had a bad day, tell me a joke
        what is a good joke / what's a good joke / what is your favourite joke / what makes you laugh
        what joke do you know / show me how funny you are / are you any good at jokes / how funny are you
        how about something funny / crack a joke
    """),
}
NAME_ASKED = phrasings("""
    what was the name I told you / who is talking to you / under which name do you know me / what do I go by
    tell me who I am / my name, please / can you still say my name / how did I introduce myself / whats my name
""")
NAME_TOLD = phrasings("""
    I go by {v} / I was named {v} / {v} is what they call me / everyone calls me {v} / hello from {v}
    I am known as {v} / my friends say {v} to me / you are talking to {v}
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
