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
    ?please a web search for {q} / ?the web must know about {q} / let the web tell me about {q} / find news of {q}
    ?what do people say about {q} online / open the web and find {q} / bring me facts about {q} / type {q} into brave
    ?can you find {q} / search {q} / explore {q} online / collect information about {q} / ?is there news about {q}
    give me results for {q} / ?I am curious about {q}, look it up / try to find {q} online / scan the web for {q}
""")
MEMORY = phrasings("""
    go through my memory for {q} / see whether my notes mention {q} / ?what have I noted about {q}
    search what I saved for {q} / ?where in my documents is {q} / look for {q} in my memory / consult my notes on {q}
    find what I wrote about {q} / ?is {q} anywhere in my notes / open my notes about {q} / browse my documents for {q}
    search my files for {q} / ?what does my memory bank say about {q} / get {q} out of my notes
    ?what did I store on {q}
    see what I have on {q} in my documents / dig through my notes for {q} / ?do I have anything on {q} in my files
    look {q} up in my own notes / scan my documents for {q} / query the memory bank for {q}
    ?is there something about {q} in my memory / ?what is written in my documents about {q} / search {q} in my notes
    recall what I saved about {q} / ?I wrote something about {q}, find it in my notes / check whether I saved {q}
    fetch my notes on {q} / ?which of my documents speak of {q} / get what my memory has on {q} / read my notes on {q}
    use the memory search for {q} / ?my notes should have {q}, look there / explore my memory for {q}
""")
GENERIC = phrasings("""
    let {f} run with {p} / ?can {f} be called with {p} / make a call to {f} with {p} / trigger {f} with {p}
    apply {f} to {p} / ?what does {f} give for {p} / have {f} work with {p} / please try {f}, {p}
    ?I would like to use {f}, {p} / launch {f} with {p}
    ?can you run {f} with {p} / do {f} with {p} / ?I want {f} called with {p} / get {f} going with {p}
    try {f} with {p}
    ?what comes out of {f} with {p} / perform {f} with {p} / send {p} to {f} / activate {f} with {p} / use {f}: {p}
    ?{f} please, with {p} / ?let me have {f} with {p} / ?for {f}: {p} / put {p} into {f} / give {f} {p}
    fire {f} with {p} / operate {f} with {p} / ?may I have {f} called with {p} / ?I want to see {f} with {p}
    work {f} with {p} / ?the tool {f} should run with {p} / ?what would {f} say with {p} / take {f} and give it {p}
    set {f} off with {p} / employ {f} with {p} / ?is it possible to run {f} with {p} / make use of {f} with {p}
    ?{f}, {p}
""")
SUMMARY = phrasings("""
    summarize the text in a sentence / shorten the following / say in one sentence what happened / make this shorter
    ?what is this about, in one sentence / ?can I have a summary / put this in one sentence / ?what happened, in short
    give me the short version / keep only the main point / write one sentence about this / sum up the text
    give the essence of this / recap this / ?what do I need to know from this / tell me the main point of this text
    ?what is the short version of this / reduce this to one sentence / write a summary / ?the short version, please
    ?what does this say / tell me in one sentence what this says / cut this down to one sentence / ?the gist, please
    compress this text / ?what is the point of this / bring this down to a sentence / name the main idea of this
    ?can you shorten this text / ?what is the most important thing here / sum this up for me
    make one sentence of this / say what this text tells / ?in one sentence, what is this
""")
FUNCTIONS: dict[str, Phrasings] = {
    "get_weather": phrasings("""
        ?what weather do they have in {1} / look up the weather in {1} / ?is it cold in {1} / ?is it sunny in {1} today
        ?how are the conditions in {1} / give me the forecast for {1} / ?should I take a coat to {1}
        ?is there snow in {1}
        show me the weather for {1} / ?what temperature is it in {1}
        ?can I go without a jacket in {1} / ?does the sun shine in {1} / ?what about the weather in {1}
        ?is it windy in {1}
        find out if it rains in {1} / describe the weather in {1} / ?how hot is it in {1} today / ?{1} weather, please
        report the weather of {1} / ?what will the weather in {1} be / ?is there a storm in {1}
    """),
    "set_light": phrasings("""
        make the [light|lamp] in {1} go {2} / have the [light|lamp] in {1} {2} / ?can the [light|lamp] in {1} be {2}
        [light|lamp] {2} in {1} / ?in {1} I want the [light|lamp] {2} / let the [light|lamp] in {1} be {2}
        change the [light|lamp] in {1} to {2} / flip the [light|lamp] in {1} {2}
        ?please, the [light|lamp] {2} in {1} / bring the [light|lamp] in {1} to {2} / get the [light|lamp] in {1} {2}
        ?it is too dark or too bright in {1}, [light|lamp] {2} / ?for {1} the [light|lamp] should be {2}
        make sure that the [light|lamp] in {1} is {2} / ?is the [light|lamp] in {1} {2}, if not make it so
        ?the [light|lamp] in {1} should go {2} / ?could we have the [light|lamp] {2} in {1} / {1} [light|lamp] {2}
        lights {2} in {1} / ?I would like it {2} in {1}, the [light|lamp] / ?in {1} the [light|lamp] must be {2}
        tap the [light|lamp] {2} in {1} / ?I am going to bed, [light|lamp] {2} in {1}
        see that the [light|lamp] in {1} goes {2} / leave the [light|lamp] {2} in {1}
    """),
    "book_table": phrasings("""
        find us a table for {2} at {1} / hold a table at {1} for {2} people / ?can {2} of us eat at {1}
        ?is there room for {2} at {1}, book it / sign us up for {2} seats at {1} / arrange a table for {2} at {1}
        ?we want to eat at {1}, {2} of us / make it a table for {2} at {1} / ?{2} people would like to eat at {1}
        ?can I eat at {1} with {2} people / ask {1} for {2} seats / ?do they have {2} seats at {1}, take them
        ?dinner for {2} at {1}, please / keep {2} places free at {1} / place a reservation for {2} guests at {1}
        ?I am going to {1} with {2} people in all, reserve / put {2} guests down at {1} / get {2} seats at {1}
        ?at {1} we need seats for {2} / ?there will be {2} of us at {1}, book that / call {1} and book for {2}
        ?we come to {1} with {2} people, a table please / ?{2} friends of mine eat at {1}, book it
        ?{1}, {2} people, a table / try to get {2} seats at {1} / ?party of {2} at {1}
        ?is {1} free for {2} people, then book / put us down at {1}, {2} people
    """),
    "get_order": phrasings("""
        find out where order {1} is / ?how far is order {1} / ?did order {1} leave yet / follow order {1}
        ?what about my order {1} / give me news of order {1} / ?any news about order {1} / see how order {1} is doing
        ?when will I get order {1} / ?I am waiting for order {1}, where is it
        tell me where {1} is, it is my order / ?what became of order {1} / ?is order {1} ready / ?order {1}, where is it
        look after order {1} / trace order {1} / find order {1} / ?did you send order {1}
        give me the state of order {1}
    """),
    "get_stock_price": phrasings("""
        ?at what price does {1} trade / ?what do shares of {1} cost / find the price of {1} / check the stock of {1}
        ?how high is {1} right now / show me the quote of {1} / ?what is one {1} share worth / tell me how {1} is doing
        ?where does {1} stand today
        ?how expensive is {1} stock / tell me what {1} costs on the market / ?is {1} up, what is the price
        fetch {1} stock
        ?what would one share of {1} cost me / read me the price of {1} / ?what is {1} at / ?how is the market for {1}
    """),
    "send_message": phrasings("""
        pass on to {1} that {2} / ?could {1} be told that {2} / report to {1} that {2} / give {1} the message that {2}
        make sure {1} knows that {2} / send word to {1} that {2} / drop a note to {1} that {2} / say to {1} that {2}
        send {1} a note saying {2}
        ?{1} needs to know that {2} / remind {1} that {2} / announce to {1} that {2} / ?will you tell {1} that {2}
        forward to {1} that {2} / share with {1} that {2} / write {1} that {2} / ?I have news for {1}: {2}
        give notice to {1} that {2} / ?please have {1} know that {2}
        ?{1} should hear that {2} / ?I want {1} to know that {2} / get the word to {1} that {2}
        leave {1} a message that {2} / ?that {2} is what {1} should be told / ?{2}, tell {1}
        ?{2}, that is my message to {1} / bring the news to {1} that {2} / have {1} told that {2} / warn {1} that {2}
        ?can {1} get a text that {2} / explain to {1} that {2}
    """),
    "convert_currency": phrasings("""
        give me {1} {2} in {3} / ?what would {1} {2} be in {3} / ?what do I get in {3} for {1} {2}
        swap {1} {2} for {3}
        ?I have {1} {2}, how much is that in {3} / compute {1} {2} in {3} / express {1} {2} in {3}
        make {3} out of {1} {2}
        tell me what {1} {2} are in {3} / ?how many {3} are {1} {2} / trade {1} {2} for {3}
        ?{1} {2} is how much in {3}
        calculate {1} {2} in {3} / ?what is the value of {1} {2} in {3} / switch {1} {2} to {3} / get me {3} for {1} {2}
        ?in {3}, how much is {1} {2} / ?how many {3} would {1} {2} make / put {1} {2} into {3}
        bring {1} {2} over to {3} / ?I need {3} for my {1} {2} / ?to {3} from {2}, the amount is {1}
        ?{1} {2} into {3}, please / ?what in {3} is {1} {2} / ?for {1} {2} I get how many {3}
        work out {1} {2} in {3} / let me see {1} {2} in {3} / ?if I have {1} {2}, what is it in {3}
        ?I got {1} {2} and need {3}, convert / recount {1} {2} as {3} / ?{3} is what I want for {1} {2}
        move {1} {2} to {3}
    """),
    "set_timer": phrasings("""
        count down {1} minutes / let a timer run for {1} minutes / ?can you time {1} minutes / ring in {1} minutes
        tell me when {1} minutes are over / ?in {1} minutes I have to go, set a timer / begin a timer of {1} minutes
        give me {1} minutes on the timer / alert me after {1} minutes
        wait {1} minutes and then ring / ?timer for {1} minutes, please / make a timer of {1} minutes
        call me in {1} minutes
        ?my eggs need {1} minutes, set a timer / let me know after {1} minutes / run a timer for {1} minutes
        ?can I get a timer for {1} minutes / create a timer with {1} minutes / measure {1} minutes
    """),
    "play_song": phrasings("""
        turn on music by {1} / ?could we hear {1} / choose a song by {1} / ?I feel like {1}, play something / start {1}
        find a song by {1} and play it / give me [some |]music of {1} / ?do you have anything by {1}, play it
        ?some {1}, please / ?how about music by {1} / spin a record of {1} / let the music of {1} play / stream {1}
        ?could you put {1} on / ?I am in the mood for {1} / bring on {1} / pick a track by {1}
    """),
    "translate": phrasings("""
        turn {1} into {2} / ?what would {1} be in {2} / ?how is {1} said in {2} / write {1} in {2} / ?{1} in {2}, please
        tell me the {2} word for {1} / ?which {2} word means {1} / find the {2} word for {1} / render {1} in {2}
        ?{2} for {1}, please / ?how would a speaker of {2} say {1} / ?is there a {2} word for {1} / give me {1} in {2}
        ?what do they call {1} in {2} / change {1} to {2} / find out what {1} is called in {2} / express {1} in {2}
        ?into {2}, please: {1} / ?in {2}, what is {1} / ?which word is {1} in {2} / ?what might {1} be in {2}
        show me {1} in {2} / ?I need {1} in {2} / ?for {1}, what do people say in {2} / bring {1} into {2}
        let me have {1} in {2} / spell out {1} in {2} / ?how would one put {1} in {2} / ?I want to say {1} in {2}
        make {2} out of {1}
    """),
    "add_task": phrasings("""
        include {1} in the list {2} / ?can {1} go on my {2} list / enter {1} in the list {2} / ?the {2} list needs {1}
        append {1} to my {2} list / let the list {2} have {1} / write down {1} on the list {2}
        save {1} in the list {2}
        ?don't let me forget {1}, list {2} / get {1} onto the {2} list / ?{1} belongs on the list {2}
        list {1} under {2}
        ?my {2} list should have {1} / insert {1} into the list {2} / make {1} an entry of the list {2}
        jot {1} on list {2}
        ?on the {2} list there should be {1} / ?to my list {2} please add {1} / ?in list {2}, {1} is missing
        ?{2} list: {1} / ?for the list {2}: {1} / ?list {2} gets {1} / ?{1} has to be on the {2} list
        make room for {1} on the {2} list / add to the list {2} the item {1} / record {1} on the {2} list
        ?my list {2} is short of {1}, add it
    """),
    "find_user": phrasings("""
        get me {1} / ?where is the record of {1} / bring up the data of {1} / load the contact {1} / fetch the user {1}
        ?is there a user called {1} / check whether we have a customer {1} / ?what do we know about the customer {1}
        ?which data do we have on {1} / tell me about the customer {1} / get the user {1} / ?can you find {1}
        locate {1}
        ?is {1} one of our customers / retrieve the contact {1} / display the user {1} / check the record of {1}
    """),
    "set_temperature": phrasings("""
        let {1} have {2} degrees / ?can {1} be {2} degrees warm / change the temperature in {1} to {2}
        cool {1} to {2} degrees
        ?{1} should be at {2} degrees / keep {1} at {2} degrees / get {1} to {2} degrees / adjust {1} to {2} degrees
        ?{2} degrees would be nice in {1} / have {1} at {2} degrees / raise {1} to {2} degrees
        ?it should be {2} in {1}
        turn {1} to {2} degrees / change {1} to {2} degrees / let it be {2} degrees in {1} / fix {1} at {2} degrees
        ?I would like {1} at {2} degrees / ?in {1} it should be {2} degrees / ?{2} degrees for {1}, please
        warm {1} to {2} / ?how about {2} degrees in {1} / regulate {1} to {2} degrees
        see that {1} gets to {2} degrees / move {1} to {2} degrees / ?to {2} degrees with {1}
        hold {1} at {2} degrees / ?{1} is too cold, {2} degrees please / let {1} go to {2} degrees
    """),
    "find_flights": phrasings("""
        look for a [flight|train] from {1} to {2} / ?which [flights|trains] go from {1} to {2}
        ?I have to get from {1} to {2}
        list [flights|trains] between {1} and {2} / plan a trip from {1} to {2} / ?what goes from {1} to {2}
        ?I am in {1} and have to go to {2}, find a [flight|train] / check [flights|trains] from {1} to {2}
        ?are there [flights|trains] from {1} to {2} / give me a [flight|train] from {1} to {2} / ?{1} to {2}, please
        ?how can I go from {1} to {2} / ?when is there a [flight|train] from {1} to {2} / bring me from {1} to {2}
        ?we travel from {1} to {2}, find something / compare [flights|trains] from {1} to {2} / ?from {1} I want to {2}
        ?to {2} from {1}, which [flights|trains] are there / ?I want to be in {2} and start in {1}
        ?to {2} I start from {1} / ?is there a way to {2} from {1} / look up how to get to {2} from {1}
        ?my trip goes to {2}, I am in {1} / ?{2} from {1}, please / ?starting from {1}, how do I reach {2}
        find me something to {2} that leaves {1} / ?which [flight|train] leaves {1} for {2}
        get a [flight|train] to {2} from {1} / ?I leave {1} and want to reach {2} / ?what takes me to {2} from {1}
    """),
    "get_population": phrasings("""
        find the number of people in {1} / ?how many residents does {1} have / ?how large is {1}
        count the people of {1}
        ?how many live in {1} / give me the population of {1} / ?what's the population of {1} / ?is {1} big
        ?how many are they in {1} / tell me how many people {1} has / ?does {1} have many people
        check the population of {1}
        ?what number of people live in {1} / ?how populous is {1} / say how many people live in {1}
    """),
    "open_door": phrasings("""
        let the [door|gate] {1} open / ?can the [door|gate] {1} be opened / ?I want to go into {1}, open up
        get the {1} [door|gate] open / make the [door|gate] of {1} open / ?I stand before {1}, unlock it / release {1}
        ?{1} is locked, open it / ?please, the [door|gate] {1} / ?can I get through {1} / push open the [door|gate] {1}
        ?I stand outside {1}, let me in / grant me access to {1} / have {1} opened / undo the lock of {1}
    """),
    "memory_search": MEMORY.mapped(lambda pattern: pattern.replace("{q}", "{1}")),
}
TASKS: dict[str, Phrasings] = {
    "print({x} * {y})": phrasings("""
        ?what does {x} times {y} make / tell me {x} times {y} / get the product of {x} and {y} / ?{x} by {y} is how much
        take {x} {y} times / ?how many is {x} times {y} / solve {x} * {y}
        ?can you multiply {x} and {y} / ?{x} times {y} makes what / show me {x} times {y}
        ?how much does {x} times {y} make
        do {x} times {y} / give me {x} multiplied by {y} / determine {x} * {y} / ?what's the product of {x} and {y}
    """),
    "print({x} + {y})": phrasings("""
        ?what does {x} plus {y} make / tell me {x} plus {y} / get the sum of {x} and {y} / put {x} and {y} together
        ?how many is {x} plus {y} / solve {x} + {y} / ?{x} and {y} together are how much
        ?can you add {x} and {y} / ?{x} plus {y} makes what / show me {x} plus {y} / increase {x} by {y}
        determine {x} + {y}
        do {x} plus {y} / give me {x} and {y} added up / ?what do {x} and {y} make together / join {x} and {y} in a sum
    """),
    "print({x} - {y})": phrasings("""
        ?what does {x} minus {y} make / tell me {x} minus {y} / get the difference of {x} and {y}
        ?{x} less {y} is what
        ?what is left of {x} without {y} / solve {x} - {y} / deduct {y} from {x}
        ?can you subtract {y} from {x} / ?{x} minus {y} makes what / show me {x} minus {y} / reduce {x} by {y}
        do {x} minus {y} / determine {x} - {y} / ?how much more is {x} than {y} / ?what's the difference of {x} and {y}
        remove {y} from {x} / ?what remains of {x} after {y} is taken
    """),
    "print({x} / {y})": phrasings("""
        ?what does {x} divided by {y} make / tell me {x} divided by {y} / get the quotient of {x} and {y}
        solve {x} / {y}
        ?how often does {y} go into {x} / share {x} among {y}
        ?can you divide {x} by {y} / ?{x} divided by {y} makes what / show me {x} divided by {y} / determine {x} / {y}
        do {x} divided by {y} / cut {x} into {y} parts / ?what's the quotient of {x} and {y}
        ?how many times is {y} in {x}
        give me {x} over {y}
    """),
    "import math\nprint(math.sqrt({x}))": phrasings("""
        tell me the square root of {x} / ?which number squared is {x} / solve the square root of {x} / ?root of {x}
        give me the square root of {x}
        ?can you get the square root of {x} / show me the square root of {x} / determine the square root of {x}
        extract the square root of {x} / ?what number times itself is {x} / root {x}
    """),
    "print({x} ** {y})": phrasings("""
        tell me {x} to the power of {y} / ?what does {x} raised to {y} make / work out {x} to the power of {y}
        solve {x} to the power {y}
        ?can you raise {x} to {y} / show me {x} to the power of {y} / determine {x} to the power of {y}
        ?{x} to the {y}
        find {x} to the power of {y} / ?what do you get for {x} to the power of {y}
        give me {x} raised to the power {y}
    """),
    "print({x} % {y})": phrasings("""
        tell me the remainder of {x} by {y} / ?{x} mod {y} / work out {x} modulo {y} / get the remainder of {x} and {y}
        ?can you find the remainder of {x} and {y} / show me {x} mod {y} / determine {x} modulo {y}
        ?what rest does {x} by {y} leave
        divide {x} by {y} and give the remainder / ?what is {x} modulo {y} / take {x} modulo {y}
    """),
    "import math\nprint(math.factorial({x}))": phrasings("""
        tell me the factorial of {x} / ?what's the factorial of {x} / get the factorial of {x} / solve {x} factorial
        ?can you get the factorial of {x} / show me the factorial of {x} / determine the factorial of {x}
        ?{x} factorial
        ?what do you get for the factorial of {x} / take the factorial of {x} / multiply all numbers up to {x}
    """),
    "print({x} / 100 * {y})": phrasings("""
        tell me {x} percent of {y} / ?what's {x} percent of {y} / get {x} percent of {y} / take {x} percent of {y}
        ?can you get {x} percent of {y} / show me {x} percent of {y} / determine {x}% of {y} / give me {x}% of {y}
        ?what do {x} percent of {y} come to / ?how much are {x}% of {y} / get me {x}% of {y}
    """),
    "print(sum([{m}]))": phrasings("""
        put {l} together / tell me the sum of {l} / ?how much do {l} make / work out the total of {l} / ?the sum of {l}
        ?can you add up {l} / show me the sum of {l} / determine the sum of {l} / count {l} together
        give me {l} added up
        ?{l}, how much in all / add these: {l} / ?what's the total of {l} / do the sum of {l}
    """),
    "numbers = [{m}]\nprint(sum(numbers) / len(numbers))": phrasings("""
        tell me the [average|mean] of {l} / ?what do {l} come to on average / give me the [average|mean] of {l}
        ?can you average {l} / show me the [average|mean] of {l} / determine the [average|mean] of {l}
        ?{l}, what is the [average|mean] / get the [average|mean] of {l} / ?how high is the average of {l}
    """),
    "print(max([{m}]))": phrasings("""
        tell me the [largest|biggest|highest] of {l} / ?what is the top number of {l} / give me the maximum of {l}
        ?which of {l} is the largest
        ?can you find the [largest|biggest|highest] of {l} / show me the maximum of {l}
        determine the [largest|biggest] of {l}
        ?{l}, which one is the [largest|biggest] / get the maximum of {l} / choose the highest of {l} / max of {l}
    """),
    "print(min([{m}]))": phrasings("""
        tell me the [smallest|lowest] of {l} / ?what is the least of {l} / give me the minimum of {l}
        ?which of {l} is the smallest
        ?can you find the [smallest|lowest] of {l} / show me the minimum of {l} / determine the [smallest|lowest] of {l}
        ?{l}, which one is the [smallest|lowest] / get the minimum of {l} / choose the lowest of {l} / min of {l}
    """),
    "print(sorted([{m}]))": phrasings("""
        list {l} from small to large / rank the numbers {l} / ?what are {l} in order / line up {l} by size
        ?can you sort {l} / show me {l} in order / sort this: {l} / ?how do {l} look when they are sorted
        give me {l} sorted
        list the numbers {l} by size / ?what comes out when you sort {l} / get {l} into order
    """),
    'print(len("{w}"))': phrasings("""
        tell me how many letters {w} has / give me the length of {w} / ?of how many letters does {w} consist
        ?how long is {w} / count all letters of {w}
        ?can you count the letters of {w} / show me the length of {w} / determine the length of {w}
        measure the word {w}
        ?what number of letters has {w} / work out how many letters {w} has / ?{w} has how many letters
    """),
    'print("{w}".count("{c}"))': phrasings("""
        tell me how often {c} is in {w} / ?{w} has how many {c}'s / look how often {w} has the letter {c}
        ?how many of the letters of {w} are {c}
        ?can you count the letter {c} in {w} / show me how often {w} has {c} / determine how many {c}'s {w} has
        ?what is the number of {c}'s in {w} / ?in {w}, how many times is there a {c} / work out how often {c} is in {w}
    """),
    'print("{w}"[::-1])': phrasings("""
        give me {w} from back to front / ?how does {w} read backwards / flip the letters of {w} / show {w} in reverse
        ?can you reverse {w} / mirror {w} / ?what does {w} look like backwards / give me {w} reversed
        print {w} backwards
        read {w} from the end / ?{w} backwards, please
    """),
    'print("{w}".upper())': phrasings("""
        give me {w} in big letters / ?what does {w} look like in capitals / capitalize all of {w}
        show {w} in upper case
        ?can you put {w} in capitals / put {w} in upper case / print {w} in capitals / ?{w} in capitals, please
        make all letters of {w} big / give me {w} in upper case
    """),
}
