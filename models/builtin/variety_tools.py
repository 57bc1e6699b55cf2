"""Tools with two and three arguments that training alone sees, asked for with their arguments in every order."""

from __future__ import annotations

from .catalogue import Function, function
from .phrasing import words

TOOLS: tuple[Function, ...] = (
    function(
        "create_event|add_event|new_appointment",
        "[Create|Add] an event in the calendar.",
        "title|name|event:name:string day|weekday:day:string time|start|hour:clock:string",
        """
        add {1} to my calendar on {2} at {3} / put {1} at {3} on {2} / ?on {2} at {3} I have {1}, note it
        create the event {1} for {2}, {3} / ?at {3} on {2} there is {1}, enter it / schedule {1} at {3} this {2}
        plan {1} for {3} on {2} / ?{2}, {3}: {1}, please add it / make an appointment {1} on {2}, starting at {3}
        """,
    ),
    function(
        "send_money|pay|transfer_money",
        "[Send|Transfer] money to a person.",
        "to|recipient|payee:first:string amount|sum:whole:integer currency|unit:currency:string",
        """
        send {2} {3} to {1} / pay {1} {2} {3} / transfer {2} {3} to {1} / ?I owe {1} {2} {3}, pay it
        give {1} {2} {3}
        ?{1} gets {2} {3} from me, send it / ?{2} {3} should go to {1} / wire {1} the sum of {2} {3}
        """,
    ),
    function(
        "book_room|reserve_room|book_hotel",
        "[Book|Reserve] a room in a hotel.",
        "hotel|house:name:string nights|days|stay:count:integer guests|people|persons:count:integer",
        """
        book {2} nights at {1} for {3} people / reserve a room for {3} at {1}, {2} nights
        ?we are {3} and stay {2} nights at {1}
        ?for {3} guests I need {2} nights at {1} / get a room at {1} for {2} nights and {3} people
        ?{3} of us would like to sleep {2} nights at {1} / ?{2} nights, {3} guests, at {1}, please
        """,
    ),
    function(
        "log_weight|save_weight|record_weight",
        "[Log|Save] the weight of a person.",
        "person|who|patient:first:string kilos|weight|value:whole:integer day|on|weekday:day:string",
        """
        log {2} kilos for {1} on {3} / ?on {3} {1} weighed {2} kilos, save it / note that {1} had {2} kilos on {3}
        record a weight of {2} for {1}, {3} / ?{1} came to {2} kilos on {3}, please record it
        save {3} for {1}: {2} kilos
        """,
    ),
    function(
        "set_alarm|new_alarm|alarm",
        "Set an alarm with a label.",
        "time|at:clock:string label|text|name:odd:string",
        """
        set an alarm called {2} at {1} / set an alarm for {1} with the label {2} / wake me at {1}, label {2}
        ?I need the alarm {2} at {1} / ring at {1} and show {2} / name an alarm {2} and set it to {1}
        """,
    ),
    function(
        "order_food|place_order|order_meal",
        "Order food to an address.",
        "dish|item|food:food:string count|portions|number:count:integer address|street|to:name:string",
        """
        order {2} portions of {1} to {3} / bring {1} to {3}, {2} portions / ?{3} would like {2} times {1}
        ?to {3} please send {1}, {2} portions / get {2} of {1} for {3} / ?at {3} we are hungry for {1}, order {2}
        """,
    ),
    function(
        "create_ticket|open_ticket|report_issue",
        "[Open|Create] a ticket.",
        "code|device|machine:odd:string title|problem|subject:phrase:string",
        """
        open a ticket for {1} saying {2} / report for {1} that {2} / ?{2}, open a ticket for {1}
        note the problem that {2} on {1}
        create a ticket: {2}, device {1} / ?on machine {1} {2}, report it
        """,
    ),
    function(
        "rename_file|move_file|copy_file",
        "[Rename|Move|Copy] a file.",
        "source|old|from:odd:string target|new|to:odd:string",
        """
        rename {1} to {2} / change the name {1} into {2} / move {1} to {2} / ?{1} should become {2}
        copy {1} over to {2}
        make {2} out of the file {1} / put the file {1} at {2} / ?the new name of {1} is {2}
        let {2} be the new place of {1}
        """,
    ),
    function(
        "register_user|create_account|new_customer",
        "[Register|Create] a user.",
        "name|user|customer:person:string code|member_id|number:odd:string city|town|place:city:string",
        """
        register {1} from {3} with the code {2} / create an account {2} for {1} in {3} / sign up {1}, {3}, under {2}
        ?{1} lives in {3} and has the number {2}, register / add the customer {1}, number {2}, town {3}
        ?from {3} comes {1}, code {2}, sign them up / ?under the code {2} enter {1} of {3}
        """,
    ),
    function(
        "transfer_stock|move_goods|ship_goods",
        "Move goods between [stores|cities].",
        "item|product|goods:product:string from|source|origin:city:string to|target|destination:city:string",
        """
        move {1} from {2} to {3} / ship {1} to {3} from {2} / ?{3} needs {1}, which is in {2}
        bring {1} over from {2} to {3}
        ?from {2} please send {1} to {3} / get {1} to {3}, it is in {2} / take {1} out of {2} and bring it to {3}
        """,
    ),
    function(
        "schedule_meeting|plan_meeting|arrange_call",
        "[Plan|Schedule] a meeting with a person.",
        "with|person|guest:first:string time|hour|at:clock:string room|place|where:name:string",
        """
        plan a meeting with {1} in {3} at {2} / ?at {2} I want to meet {1} in {3} / meet {1} at {2}, place {3}
        ?in {3} at {2} I meet {1}, plan it / ?{1} can come to {3} at {2}, arrange that
        arrange {3} at {2} for {1} and me
        """,
    ),
    function(
        "update_stock|set_stock|count_stock",
        "[Update|Set] the number of items in a store.",
        "item|article|product:odd:string count|number|pieces:whole:integer store|place|shelf:name:string",
        """
        set {1} in {3} to {2} pieces / ?there are {2} of {1} in {3} / ?in {3} we have {2} pieces of {1}, note that
        change the number of {1} in {3} to {2} / count {2} of {1} at {3} / ?{3} holds {2} times {1}, update it
        """,
    ),
    function(
        "label_parcel|send_parcel|ship_parcel",
        "[Label|Send] a parcel.",
        "code|parcel|id:odd:string city|to|target:city:string grams|weight|mass:whole:integer",
        """
        send parcel {1} of {3} grams to {2} / label {1} for {2}, {3} grams / ?to {2} goes the parcel {1} with {3} grams
        ?{3} grams to {2}, it is parcel {1} / ship {1} to {2}, it weighs {3} grams
        ?{1} weighs {3} grams and goes to {2}
        """,
    ),
    function(
        "set_price|change_price|update_price",
        "[Set|Change] the price of a product.",
        "product|item|article:product:string price|amount|value:whole:integer currency|unit|money:currency:string",
        """
        set the price of {1} to {2} {3} / let {1} cost {2} {3} / ?{1} is now {2} {3} / sell {1} at {2} {3}
        change {1} to {2} {3} / ?{2} {3} is the new price of {1} / ?from now on {2} {3} for {1} / ask {2} {3} for {1}
        """,
    ),
    function(
        "assign_seat|book_seat|reserve_seat",
        "[Assign|Reserve] a seat on a train.",
        "passenger|person|name:person:string seat|place|number:odd:string train|line|coach:odd:string",
        """
        give {1} seat {2} on train {3} / put {1} on train {3}, seat {2} / reserve {2} on {3} for {1}
        ?on train {3} seat {2} is for {1} / ?{1} wants to sit on {2} of train {3} / seat {1} at {2} in {3}
        """,
    ),
    function(
        "rent_car|book_car|hire_car",
        "[Rent|Hire] a car.",
        "city|place|where:city:string days|duration|length:count:integer model|car|type:product:string",
        """
        rent a {3} in {1} for {2} days / ?I need a {3} for {2} days in {1} / ?for {2} days get me a {3} in {1}
        hire a car in {1}, {2} days, model {3} / ?in {1} I want to drive a {3} for {2} days
        book the {3} for {2} days in {1}
        """,
    ),
    function(
        "define_word|add_word|teach_word",
        "Add a word to a [dictionary|glossary].",
        "word|term|entry:odd:string meaning|sense|text:odd:string language|lang|tongue:language:string",
        """
        add the {3} word {1}, it means {2} / ?in {3} {1} means {2}, add it / teach me that {2} is {1} in {3}
        note {1} as {3} for {2} / ?{2} is called {1} in {3}, save that / enter {1} with the meaning {2} in {3}
        """,
    ),
    function(
        "set_password|change_code|store_key",
        "Store [a code|a key] for a [door|place].",
        "place|door|lock:name:string code|key|secret:odd:string",
        """
        set the code of {1} to {2} / ?the new key for {1} is {2} / use {2} as the code for {1} / store {2} for {1}
        ?from now on {2} opens {1} / change {1} to the code {2} / give {1} the new code {2} / let {2} be the key of {1}
        """,
    ),
    function(
        "remind_person|leave_note|add_reminder",
        "Remind a person of something.",
        "person|who|to:first:string text|note|about:phrase:string day|on|when:day:string",
        """
        remind {1} on {3} that {2} / ?on {3} tell {1} that {2} / leave a note for {1} on {3} saying {2}
        ?{1} has to hear on {3} that {2} / write down for {1} that {2}, show it on {3}
        """,
    ),
    function(
        "compare_cities|city_distance|measure_route",
        "[Compare|Measure the way between] two cities.",
        "first|from|start:city:string second|to|end:city:string",
        """
        ?how far is {2} from {1} / measure the way from {1} to {2} / ?to {2} from {1}, how far is that
        tell me the distance between {1} and {2} / ?starting in {1}, how far is it to {2} / compare {1} with {2}
        """,
    ),
)
ODD_WORDS = words("""
    quixotic zephyr gossamer rhubarb kumquat bivouac obelisk quagmire syzygy zigzag hyphen knapsack pneumonia rhythm
    sphinx tsunami uvula vortex wyvern xylophone yacht zucchini haberdasher lacquer mezzanine nonchalant ocelot
    palimpsest quartz ricochet scythe thwart umlaut verandah whimsy yeoman cyan drizzle ewe fjord gnome hiccup igloo
    jukebox kayak llama mnemonic numb onyx psalm quiche rogue sieve tepid usurp vex walrus axolotl banjo chutney
    dachshund eczema flamingo gazebo haiku ibex jodhpurs kiosk lymph myrrh nougat ombre pyjamas queue rococo sauna
""")
"""Words of unusual spelling, which the tokens cut into small pieces."""
