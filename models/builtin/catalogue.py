"""The kinds of custom tools that the dialogs define: names, parameters and ways to ask for each of them."""

from __future__ import annotations

from dataclasses import dataclass

from .phrasing import Phrasings, phrasings


@dataclass(frozen=True)
class Function:
    """One kind of tool: names it may have, what it does, parameters as (names, kind, type) and ways to ask for it."""

    names: str
    description: str
    parameters: tuple[tuple[str, str, str], ...]
    asked: Phrasings


def function(names: str, description: str, parameters: str, asked: str) -> Function:
    """Return a function; parameters are `name|other:kind:type` separated by spaces, in the order of {1}, {2}, {3}."""
    parts = [part.split(":") for part in parameters.split()]
    return Function(
        names, description, tuple((names, kind, kind_type) for names, kind, kind_type in parts), phrasings(asked)
    )


FUNCTIONS: tuple[Function, ...] = (
    function(
        "get_weather|weather|current_weather|weather_lookup",
        "[Get|Return] the [current |]weather [of|for|in] a [city|place].",
        "city|location|place|town:city:string",
        """
        ?what is the weather [like |]in {1} / ?how is the weather in {1} / get the weather [in|for] {1}
        ?is it raining in {1} / check the weather [in|for] {1} / tell me the weather in {1}
        ?what's the weather [in|like in] {1} / ?what's it like outside in {1} / ?do I need an umbrella in {1}
        ?how warm is it in {1} / ?weather in {1} / ?will it rain in {1}
    """,
    ),
    function(
        "set_light|set_lamp|switch_light|control_lamp",
        "[Switch|Turn] a [light|lamp] [in a room |]on or off.",
        "room|place:name:string state|mode:onoff:string",
        """
        turn {2} the [light|lamp] in {1} / turn the [light|lamp] in {1} {2} / switch {2} the [light|lamp] in {1}
        switch the [light|lamp] in {1} {2} / put the [light|lamp] in {1} {2} / set the [light|lamp] in {1} to {2}
        ?I want the [light|lamp] in {1} {2} / turn the {1} [light|lamp] {2} / switch the {1} [light|lamp] {2}
    """,
    ),
    function(
        "book_table|reserve_table|make_reservation",
        "[Book|Reserve] a table [at|in] a restaurant.",
        "restaurant|place:name:string guests|people|seats:count:integer",
        """
        book a table for {2} [people |]at {1} / reserve a table for {2} [people |]at {1}
        ?I'd like a table for {2} [people |]at {1} / get [me |us |]a table at {1} for {2} / book {1} for {2} people
        ?we are {2} people and want to eat at {1} / make a reservation at {1} for {2}
        ?I need a table at {1} for {2} people / reserve {2} seats at {1} / ?a table for {2} at {1}
    """,
    ),
    function(
        "get_order|order_status|track_order|get_order_status",
        "[Get|Return] the status of an order.",
        "order_id|id|order:code:string",
        """
        ?where is [my |the |]order {1} / track [my |the |]order {1} / ?what is the status of [my |]order {1}
        check [my |the ]order {1} / ?has [my |the |]order {1} been sent / ?when does order {1} arrive
        get the status of [my |]order {1} / look up order {1} / ?is order {1} on its way
        ?what happened to [my |]order {1}
    """,
    ),
    function(
        "get_stock_price|stock_price|quote",
        "[Get|Return] the price of a stock.",
        "symbol|ticker|stock:ticker:string",
        """
        ?what is the [stock |share |]price of {1} / ?how much is {1} [stock |]trading at
        get the [stock |]price [of|for] {1} / ?what is {1} trading at / ?how is {1} [stock |]doing / quote {1}
        ?what's the [stock |]price of {1} / ?how much is one share of {1} / look up the {1} stock
        ?stock price of {1}
    """,
    ),
    function(
        "send_message|send_text|message|notify",
        "Send a [short |]message to a person.",
        "to|recipient|person:first:string text|body|message:phrase:string",
        """
        send {1} the message {2} / tell {1} that {2} / write to {1} that {2} / send a message to {1} saying {2}
        let {1} know that {2} / text {1} that {2} / message {1} that {2} / inform {1} that {2}
        send {1} a text saying {2} / drop {1} a line saying {2}
    """,
    ),
    function(
        "convert_currency|exchange|convert_money",
        "Convert an amount [of money |]into another currency.",
        "amount:whole:integer from|source:currency:string to|target:currency:string",
        """
        convert {1} {2} [to|into] {3} / ?how much is {1} {2} in {3} / change {1} {2} [to|into] {3}
        ?what are {1} {2} in {3} / exchange {1} {2} [to|for] {3} / ?how many {3} do I get for {1} {2}
        turn {1} {2} into {3} / ?what is {1} {2} worth in {3}
    """,
    ),
    function(
        "set_timer|start_timer|timer",
        "[Set|Start] a timer.",
        "minutes|duration:whole:integer",
        """
        set a timer for {1} minutes / start a timer of {1} minutes / wake me in {1} minutes
        ?I need a timer for {1} minutes / set the timer to {1} minutes / remind me in {1} minutes / time {1} minutes
        start a {1} minute timer / put a timer on for {1} minutes
    """,
    ),
    function(
        "play_song|play_music|play",
        "Play music [of an artist|by an artist].",
        "artist|band|singer:person:string",
        """
        play [something|a song|songs] by {1} / play {1} / ?I want to hear {1} / put on [some |]{1}
        play [some |]music by {1} / start [some |a song by ]{1} / ?let me hear [something by |]{1} / listen to {1}
    """,
    ),
    function(
        "translate|translate_text|translator",
        "Translate [a word|a text] into [a|another] language.",
        "text|word:name:string language|target|to:language:string",
        """
        translate {1} [to|into] {2} / ?what is {1} in {2} / ?how do you say {1} in {2} / say {1} in {2}
        ?what does {1} mean in {2} / ?what's the {2} word for {1} / put {1} into {2}
        give me the {2} translation of {1}
    """,
    ),
    function(
        "add_task|create_todo|add_todo|add_item",
        "Add [an item|something] to a list.",
        "item|task|text:thing:string list|list_name:name:string",
        """
        add {1} to [the |my |]list {2} / put {1} on [the |my |]list {2} / add {1} to [the |my |]{2} list
        write {1} on [the |my |]{2} list / put {1} on [the |my |]{2} list / ?I need {1} on [the |my |]{2} list
        note {1} on the {2} list / place {1} on the list {2}
    """,
    ),
    function(
        "find_user|get_customer|lookup_user|get_contact",
        "[Find|Get] a [customer|user|contact] by name.",
        "name|customer|user:person:string",
        """
        find [the customer |the user |]{1} / get the [record|contact|data] of {1}
        look up [the customer |the user |]{1} / ?who is the customer {1} / show [me |]the [record|contact|data] of {1}
        open the [record|contact] of {1} / search for the customer {1} / pull up {1}
        ?do we have a customer called {1}
    """,
    ),
    function(
        "set_temperature|set_thermostat|heat",
        "Set the temperature of a room.",
        "room|place:name:string degrees|temperature|value:count:integer",
        """
        set {1} to {2} degrees / heat {1} to {2} degrees / set the temperature in {1} to {2} [degrees|]
        ?I want {2} degrees in {1} / bring {1} to {2} degrees / make it {2} degrees in {1}
        put the heating in {1} at {2} / warm {1} up to {2} degrees / turn the heating in {1} to {2} degrees
    """,
    ),
    function(
        "find_flights|search_flights|book_flight|get_trains",
        "Find [flights|trains] between two cities.",
        "from|origin|start:city:string to|destination|target:city:string",
        """
        find a [flight|train] from {1} to {2} / ?how do I get from {1} to {2} / book a [flight|train] from {1} to {2}
        ?I want to [fly|go|travel] from {1} to {2} / search [for |][flights|trains] from {1} to {2}
        get me from {1} to {2} / show [flights|trains] from {1} to {2} / ?is there a [flight|train] from {1} to {2}
        ?I need a [flight|train] to {2} from {1}
    """,
    ),
    function(
        "get_population|city_info|population",
        "[Get|Return] the population of a [city|town].",
        "city|town|place:city:string",
        """
        ?how many people live in {1} / ?what is the population of {1} / get the population of {1} / ?how big is {1}
        look up the population of {1} / ?how many inhabitants does {1} have / tell me the population of {1}
        ?population of {1}
    """,
    ),
    function(
        "open_door|unlock_door|open_gate",
        "Open a door [or gate |]by its name.",
        "door|name|gate:name:string",
        """
        open the [door|gate] {1} / unlock [the door |]{1} / open {1} / let me into {1}
        ?I can't get into {1}, open it / unlock the [door|gate] to {1} / open the {1} [door|gate]
        unlock the {1} door
    """,
    ),
    function(
        "memory_search|search_memory|search_notes|search_documents",
        "Search [the memory bank|the notes|the documents][ of the user|].",
        "query|text|topic:topic:string",
        """
        search [my|the] [memory|notes|documents] for {1} / check my notes for {1} / look up {1} in my notes
        ?what did I [save|write|note] about {1} / search the memory bank for {1} / look in my [notes|documents] for {1}
        ?what do my notes say about {1} / find {1} in my [notes|documents] / look through my documents for {1}
        check the memory bank for {1} / ?what is in my notes about {1} / ?did I save anything about {1}
    """,
    ),
)
