"""Further orders and requests for training alone: for searches, custom tools, computations and summaries."""

from __future__ import annotations

from .phrasing import Phrasings, phrasings

WEB = phrasings("""
    search online to find {q} / go online and look for {q} / ?can the web tell us about {q} / browse the web for {q}
    have a look on the web for {q} / find out about {q} online / do some research on {q} / research {q}
    ?what can you find online about {q} / hunt the web for {q} / start a search for {q} / query the web for {q}
    fetch [news|facts] about {q} from the web / ?what is the latest about {q} / show me web results for {q}
    dig up information on {q} / ?what does the internet know about {q} / search brave for {q} / look into {q}
    ask the web about {q} / ?I want to read about {q}, search for it / consult the internet about {q}
""")
MEMORY = phrasings("""
    go through my memory for {q} / see whether my notes mention {q} / ?what have I noted about {q}
    search what I saved for {q} / ?where in my documents is {q} / look for {q} in my memory / consult my notes on {q}
    find what I wrote about {q} / ?is {q} anywhere in my notes / open my notes about {q} / browse my documents for {q}
    search my files for {q} / ?what does my memory bank say about {q} / get {q} out of my notes
    ?what did I store on {q}
    see what I have on {q} in my documents / dig through my notes for {q} / ?do I have anything on {q} in my files
    look {q} up in my own notes / scan my documents for {q} / query the memory bank for {q}
""")
GENERIC = phrasings("""
    let {f} run with {p} / ?can {f} be called with {p} / make a call to {f} with {p} / trigger {f} with {p}
    apply {f} to {p} / ?what does {f} give for {p} / have {f} work with {p} / please try {f}, {p}
    ?I would like to use {f}, {p} / launch {f} with {p}
""")
SUMMARY = phrasings("""
    summarize the text in a sentence / shorten the following / say in one sentence what happened / make this shorter
    ?what is this about, in one sentence / ?can I have a summary / put this in one sentence / ?what happened, in short
    give me the short version / keep only the main point / write one sentence about this / sum up the text
    give the essence of this / recap this / ?what do I need to know from this / tell me the main point of this text
    ?what is the short version of this / reduce this to one sentence / write a summary / ?the short version, please
""")
FUNCTIONS: dict[str, Phrasings] = {
    "get_weather": phrasings("""
        ?what weather do they have in {1} / look up the weather in {1} / ?is it cold in {1} / ?is it sunny in {1} today
        ?how are the conditions in {1} / give me the forecast for {1} / ?should I take a coat to {1}
        ?is there snow in {1}
        show me the weather for {1} / ?what temperature is it in {1}
    """),
    "set_light": phrasings("""
        make the [light|lamp] in {1} go {2} / have the [light|lamp] in {1} {2} / ?can the [light|lamp] in {1} be {2}
        [light|lamp] {2} in {1} / ?in {1} I want the [light|lamp] {2} / let the [light|lamp] in {1} be {2}
        change the [light|lamp] in {1} to {2} / flip the [light|lamp] in {1} {2}
    """),
    "book_table": phrasings("""
        find us a table for {2} at {1} / hold a table at {1} for {2} people / ?can {2} of us eat at {1}
        ?is there room for {2} at {1}, book it / sign us up for {2} seats at {1} / arrange a table for {2} at {1}
        ?we want to eat at {1}, {2} of us / make it a table for {2} at {1} / ?{2} people would like to eat at {1}
    """),
    "get_order": phrasings("""
        find out where order {1} is / ?how far is order {1} / ?did order {1} leave yet / follow order {1}
        ?what about my order {1} / give me news of order {1} / ?any news about order {1} / see how order {1} is doing
        ?when will I get order {1} / ?I am waiting for order {1}, where is it
    """),
    "get_stock_price": phrasings("""
        ?at what price does {1} trade / ?what do shares of {1} cost / find the price of {1} / check the stock of {1}
        ?how high is {1} right now / show me the quote of {1} / ?what is one {1} share worth / tell me how {1} is doing
        ?where does {1} stand today
    """),
    "send_message": phrasings("""
        pass on to {1} that {2} / ?could {1} be told that {2} / report to {1} that {2} / give {1} the message that {2}
        make sure {1} knows that {2} / send word to {1} that {2} / drop a note to {1} that {2} / say to {1} that {2}
        send {1} a note saying {2}
    """),
    "convert_currency": phrasings("""
        give me {1} {2} in {3} / ?what would {1} {2} be in {3} / ?what do I get in {3} for {1} {2}
        swap {1} {2} for {3}
        ?I have {1} {2}, how much is that in {3} / compute {1} {2} in {3} / express {1} {2} in {3}
        make {3} out of {1} {2}
    """),
    "set_timer": phrasings("""
        count down {1} minutes / let a timer run for {1} minutes / ?can you time {1} minutes / ring in {1} minutes
        tell me when {1} minutes are over / ?in {1} minutes I have to go, set a timer / begin a timer of {1} minutes
        give me {1} minutes on the timer / alert me after {1} minutes
    """),
    "play_song": phrasings("""
        turn on music by {1} / ?could we hear {1} / choose a song by {1} / ?I feel like {1}, play something / start {1}
        find a song by {1} and play it / give me [some |]music of {1} / ?do you have anything by {1}, play it
    """),
    "translate": phrasings("""
        turn {1} into {2} / ?what would {1} be in {2} / ?how is {1} said in {2} / write {1} in {2} / ?{1} in {2}, please
        tell me the {2} word for {1} / ?which {2} word means {1} / find the {2} word for {1} / render {1} in {2}
    """),
    "add_task": phrasings("""
        include {1} in the list {2} / ?can {1} go on my {2} list / enter {1} in the list {2} / ?the {2} list needs {1}
        append {1} to my {2} list / let the list {2} have {1} / write down {1} on the list {2}
        save {1} in the list {2}
    """),
    "find_user": phrasings("""
        get me {1} / ?where is the record of {1} / bring up the data of {1} / load the contact {1} / fetch the user {1}
        ?is there a user called {1} / check whether we have a customer {1} / ?what do we know about the customer {1}
    """),
    "set_temperature": phrasings("""
        let {1} have {2} degrees / ?can {1} be {2} degrees warm / change the temperature in {1} to {2}
        cool {1} to {2} degrees
        ?{1} should be at {2} degrees / keep {1} at {2} degrees / get {1} to {2} degrees / adjust {1} to {2} degrees
    """),
    "find_flights": phrasings("""
        look for a [flight|train] from {1} to {2} / ?which [flights|trains] go from {1} to {2}
        ?I have to get from {1} to {2}
        list [flights|trains] between {1} and {2} / plan a trip from {1} to {2} / ?what goes from {1} to {2}
        ?I am in {1} and have to go to {2}, find a [flight|train] / check [flights|trains] from {1} to {2}
    """),
    "get_population": phrasings("""
        find the number of people in {1} / ?how many residents does {1} have / ?how large is {1}
        count the people of {1}
        ?how many live in {1} / give me the population of {1} / ?what's the population of {1} / ?is {1} big
    """),
    "open_door": phrasings("""
        let the [door|gate] {1} open / ?can the [door|gate] {1} be opened / ?I want to go into {1}, open up
        get the {1} [door|gate] open / make the [door|gate] of {1} open / ?I stand before {1}, unlock it / release {1}
    """),
    "memory_search": MEMORY.mapped(lambda pattern: pattern.replace("{q}", "{1}")),
}
TASKS: dict[str, Phrasings] = {
    "print({x} * {y})": phrasings("""
        ?what does {x} times {y} make / tell me {x} times {y} / get the product of {x} and {y} / ?{x} by {y} is how much
        take {x} {y} times / ?how many is {x} times {y} / solve {x} * {y}
    """),
    "print({x} + {y})": phrasings("""
        ?what does {x} plus {y} make / tell me {x} plus {y} / get the sum of {x} and {y} / put {x} and {y} together
        ?how many is {x} plus {y} / solve {x} + {y} / ?{x} and {y} together are how much
    """),
    "print({x} - {y})": phrasings("""
        ?what does {x} minus {y} make / tell me {x} minus {y} / get the difference of {x} and {y}
        ?{x} less {y} is what
        ?what is left of {x} without {y} / solve {x} - {y} / deduct {y} from {x}
    """),
    "print({x} / {y})": phrasings("""
        ?what does {x} divided by {y} make / tell me {x} divided by {y} / get the quotient of {x} and {y}
        solve {x} / {y}
        ?how often does {y} go into {x} / share {x} among {y}
    """),
    "import math\nprint(math.sqrt({x}))": phrasings("""
        tell me the square root of {x} / ?which number squared is {x} / solve the square root of {x} / ?root of {x}
        give me the square root of {x}
    """),
    "print({x} ** {y})": phrasings("""
        tell me {x} to the power of {y} / ?what does {x} raised to {y} make / work out {x} to the power of {y}
        solve {x} to the power {y}
    """),
    "print({x} % {y})": phrasings("""
        tell me the remainder of {x} by {y} / ?{x} mod {y} / work out {x} modulo {y} / get the remainder of {x} and {y}
    """),
    "import math\nprint(math.factorial({x}))": phrasings("""
        tell me the factorial of {x} / ?what's the factorial of {x} / get the factorial of {x} / solve {x} factorial
    """),
    "print({x} / 100 * {y})": phrasings("""
        tell me {x} percent of {y} / ?what's {x} percent of {y} / get {x} percent of {y} / take {x} percent of {y}
    """),
    "print(sum([{m}]))": phrasings("""
        put {l} together / tell me the sum of {l} / ?how much do {l} make / work out the total of {l} / ?the sum of {l}
    """),
    "numbers = [{m}]\nprint(sum(numbers) / len(numbers))": phrasings("""
        tell me the [average|mean] of {l} / ?what do {l} come to on average / give me the [average|mean] of {l}
    """),
    "print(max([{m}]))": phrasings("""
        tell me the [largest|biggest|highest] of {l} / ?what is the top number of {l} / give me the maximum of {l}
        ?which of {l} is the largest
    """),
    "print(min([{m}]))": phrasings("""
        tell me the [smallest|lowest] of {l} / ?what is the least of {l} / give me the minimum of {l}
        ?which of {l} is the smallest
    """),
    "print(sorted([{m}]))": phrasings("""
        list {l} from small to large / rank the numbers {l} / ?what are {l} in order / line up {l} by size
    """),
    'print(len("{w}"))': phrasings("""
        tell me how many letters {w} has / give me the length of {w} / ?of how many letters does {w} consist
        ?how long is {w} / count all letters of {w}
    """),
    'print("{w}".count("{c}"))': phrasings("""
        tell me how often {c} is in {w} / ?{w} has how many {c}'s / look how often {w} has the letter {c}
        ?how many of the letters of {w} are {c}
    """),
    'print("{w}"[::-1])': phrasings("""
        give me {w} from back to front / ?how does {w} read backwards / flip the letters of {w} / show {w} in reverse
    """),
    'print("{w}".upper())': phrasings("""
        give me {w} in big letters / ?what does {w} look like in capitals / capitalize all of {w}
        show {w} in upper case
    """),
}
