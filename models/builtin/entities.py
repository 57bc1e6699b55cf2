"""Names and values for the generated dialogs, split so that what is tested never occurs in training.

A value belongs to the test side when a checksum of its text says so; invented names come from syllables, so both
sides are practically endless. It knows nothing about sentences.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from typing import Literal

from .phrasing import words

Split = Literal["train", "test"]
Maker = Callable[[random.Random], str]

ONSETS = words(
    "b br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sc sh sk sl sm sn sp st str sv t th tr "
    "v w z zh"
)
VOWELS = words("a e i o u a e i o u ai au ea ee ei ia ie io oa oo ou ue ae y")
CODAS = words("b ck d ff g k l ll lm m n nd ng nt p r rd rk rn rt s ss st t th x z sk ld lt")
ENDINGS = words(
    "a o e i us ia ona ana ino ella etta ara ora ero er en el in on an as is or ik ek ov ova sen son berg ton ford "
    "by ham wick ville mont stad dorf vik nes mere dale ley worth burgh field more rado lino mira lia ano edo"
)
FIRST_NAMES = words(
    "Adam Agnes Aisha Alba Alice Amara Amir Ana Andrei Anna Arjun Astrid Ava Axel Bela Bruno Camila Carla Chen "
    "Clara Dana Daniel Daria David Diego Dora Edith Elena Eli Elsa Emil Emma Erik Eva Farah Felix Fiona Frida "
    "George Grace Greta Hana Hannah Hassan Helen Hugo Ida Igor Ingrid Irene Isaac Ivan Jakob James Jana Jonas Jorge "
    "Julia Karim Karl Kate Kenji Kofi Lara Laura Lena Leo Lina Lucas Lucia Lukas Maja Malik Marco Maria Marta Max "
    "Maya Mia Mila Mina Nadia Nina Noah Nora Olga Oliver Omar Oscar Paula Pedro Petra Priya Rafael Rania Rosa Sam "
    "Samir Sara Selma Simon Sofia Stefan Tara Theo Thomas Tina Tomas Uma Vera Victor Viktor Walter Wanda Yara Yuki "
    "Zara Zoe"
)
CITIES = words(
    "Amsterdam Ankara Athens Austin Baku Bergen Berlin Bern Bilbao Boston Bremen Brussels Cairo Calgary Cardiff "
    "Chicago Copenhagen Cork Cusco Dakar Delhi Denver Dublin Geneva Genoa Ghent Glasgow Graz Hamburg Hanoi Havana "
    "Helsinki Istanbul Kyoto Lagos Leeds Leipzig Lima Lisbon London Lyon Madrid Malaga Manila Marseille Milan "
    "Montreal Moscow Munich Nairobi Naples Nice Osaka Oslo Oxford Palermo Paris Perth Porto Prague Quito Riga Rome "
    "Rotterdam Seattle Seoul Seville Sofia Split Stockholm Sydney Tallinn Tampa Tokyo Toronto Trieste Tunis Turin "
    "Utrecht Valencia Venice Vienna Vilnius Warsaw York Zagreb Zurich"
)
COLOURS = words(
    "red blue green yellow black white grey brown orange purple pink silver golden turquoise violet beige crimson "
    "teal navy amber ivory olive scarlet maroon copper indigo lilac bronze"
)
FOODS = words(
    "apples bread cheese rice beans noodles soup salad honey olives pears lentils mushrooms salmon tomatoes pasta "
    "dumplings almonds cherries plums tea coffee chocolate potatoes onions carrots peaches walnuts garlic oats figs "
    "lemons melons grapes pumpkin spinach barley butter yoghurt pepper"
)
MATERIALS = words(
    "wood steel glass granite brick copper wool cotton leather paper plastic bamboo silk concrete marble clay "
    "bronze oak pine slate linen rubber aluminium sandstone limestone iron"
)
ANIMALS = words("cat dog parrot rabbit horse goat hamster turtle pony lizard canary ferret donkey duck goose hen")
SUBJECTS = words(
    "physics chemistry law medicine history music biology geography economics philosophy botany geology architecture "
    "astronomy mathematics statistics engineering dentistry drama sculpture"
)
LANGUAGES = words(
    "Finnish Greek Turkish Polish Danish Welsh Basque Arabic Hindi Korean Thai Czech Dutch Swahili Catalan Latin "
    "Hebrew Persian Norwegian Hungarian Irish Tamil Quechua Estonian Latvian"
)
MONTHS = words("January February March April May June July August September October November December")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")


def is_test(value: str) -> bool:
    """Return whether a value belongs to the test side: one value in five does."""
    return zlib.crc32(value.lower().encode()) % 5 == 0


def pick(rng: random.Random, split: Split, make: Maker) -> str:
    """Draw from a maker until the value belongs to the given side; the makers' ranges are wide enough to end soon."""
    while True:
        value = make(rng)
        if is_test(value) == (split == "test"):
            return value


def invented(rng: random.Random) -> str:
    """Return an invented capitalized name of one to three syllables."""
    parts = [rng.choice(ONSETS) if rng.random() < 0.85 else "", rng.choice(VOWELS)]
    if rng.random() < 0.12:
        parts += [rng.choice(CODAS) if rng.random() < 0.3 else "", rng.choice(ONSETS), rng.choice(VOWELS)]
    parts.append(rng.choice(CODAS))
    if rng.random() < 0.5:
        parts.append(rng.choice(ENDINGS))
    return "".join(parts).capitalize()


def first_name(rng: random.Random) -> str:
    """Return a first name, half of the time a common one."""
    return rng.choice(FIRST_NAMES) if rng.random() < 0.5 else invented(rng)


def person(rng: random.Random) -> str:
    """Return a first and a last name."""
    return f"{first_name(rng)} {invented(rng)}"


def city(rng: random.Random) -> str:
    """Return the name of a town, mostly invented."""
    return rng.choice(CITIES) if rng.random() < 0.35 else invented(rng)


def number(rng: random.Random) -> str:
    """Return a whole number of one to four digits."""
    digits = rng.choice((1, 2, 2, 3, 3, 4))
    value = rng.randrange(10 ** (digits - 1), 10**digits)
    return f"{value:,}" if digits > 3 and rng.random() < 0.4 else str(value)


def code(rng: random.Random) -> str:
    """Return an identifier as people print them: letters, digits and dashes."""
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTVWXZ") for _ in range(rng.choice((1, 2, 2, 3))))
    digits = "".join(rng.choice("0123456789") for _ in range(rng.choice((2, 3, 4, 4, 5))))
    word = invented(rng).lower()
    return rng.choice((f"{letters}-{digits}", f"{letters}{digits}", f"{word}-{digits}", digits, f"{word}{digits}"))


def phone(rng: random.Random) -> str:
    """Return a short phone number in two groups."""
    return (
        f"555 {rng.randrange(10000):04d}" if rng.random() < 0.6 else f"0{rng.randrange(10, 99)} {rng.randrange(10**5)}"
    )


def clock(rng: random.Random) -> str:
    """Return a time of the day."""
    hour, minute = rng.randrange(5, 24), rng.choice((0, 0, 5, 10, 15, 20, 25, 30, 30, 35, 40, 45, 50, 55))
    if rng.random() < 0.6:
        return f"{hour}:{minute:02d}"
    half = "am" if hour < 12 else "pm"
    return f"{(hour - 1) % 12 + 1}:{minute:02d} {half}" if minute else f"{(hour - 1) % 12 + 1} {half}"


def date(rng: random.Random) -> str:
    """Return a day and month, sometimes with the year."""
    day = f"{rng.randrange(1, 29)} {rng.choice(MONTHS)}"
    return f"{day} {rng.randrange(1890, 2040)}" if rng.random() < 0.4 else day


def year(rng: random.Random) -> str:
    """Return a year."""
    return str(rng.randrange(1450, 2040))


def price(rng: random.Random) -> str:
    """Return an amount of money."""
    unit = rng.choice(("euros", "dollars", "pounds", "francs", "crowns"))
    return f"{rng.randrange(2, 900)} {unit}"


def measure(*units: str) -> Maker:
    """Return a maker of a number with one of the units."""
    return lambda rng: f"{number(rng)} {rng.choice(units)}"


def one_of(values: list[str]) -> Maker:
    """Return a maker that draws from a list."""
    return lambda rng: rng.choice(values)


def colour(rng: random.Random) -> str:
    """Return one colour or a pair of them."""
    first, second = rng.sample(COLOURS, 2)
    return first if rng.random() < 0.4 else rng.choice((f"{first} and {second}", f"dark {first}", f"light {first}"))


def foods(rng: random.Random) -> str:
    """Return one or two foods."""
    first, second = rng.sample(FOODS, 2)
    return first if rng.random() < 0.4 else f"{first} and {second}"


def product(rng: random.Random) -> str:
    """Return the name of a product with a model number."""
    return rng.choice(
        (f"{invented(rng)} {rng.randrange(1, 99)}", f"{invented(rng)} X{rng.randrange(1, 9)}", invented(rng))
    )


def title(rng: random.Random) -> str:
    """Return the title of a work."""
    return f"The {rng.choice(COLOURS + MATERIALS).capitalize()} {invented(rng)}"


KINDS: dict[str, Maker] = {
    "name": invented,
    "first": first_name,
    "person": person,
    "city": city,
    "number": number,
    "code": code,
    "phone": phone,
    "clock": clock,
    "date": date,
    "year": year,
    "price": price,
    "colour": colour,
    "food": foods,
    "product": product,
    "title": title,
    "material": one_of(MATERIALS),
    "animal": one_of(ANIMALS),
    "subject": one_of(SUBJECTS),
    "language": one_of(LANGUAGES),
    "day": one_of(DAYS),
    "weight": measure("grams", "kilos", "tons"),
    "length": measure("metres", "kilometres", "feet", "miles"),
    "people": measure("people", "inhabitants", "residents"),
    "seats": measure("people", "guests", "visitors", "seats"),
    "duration": measure("minutes", "hours", "days", "weeks", "months", "years"),
    "degrees": measure("degrees"),
}
