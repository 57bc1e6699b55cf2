"""Dialogs that need computing: the code interpreter is called with raw Python, and its output is told."""

from __future__ import annotations

import random
from dataclasses import dataclass

from . import entities, variety_orders
from .dialogs import Dialog, Side, answer, plain
from .passages import state, value
from .phrasing import Phrasings, order, phrasings
from .queries import MEMORY, SEARCH, system, toolbox, with_result


@dataclass(frozen=True)
class Task:
    """One kind of computation: its phrasings and the code, with slots for arguments."""

    asked: Phrasings
    code: str


TASKS: tuple[Task, ...] = (
    Task(
        phrasings("""
        ?what is {x} [times|*|multiplied by] {y} / multiply {x} [by|and|with] {y} / ?{x} [times|*|x] {y}
        ?how much is {x} [times|*] {y} / ?what do you get when you multiply {x} by {y} / compute {x} [times|*] {y}
        calculate {x} [times|*|multiplied by] {y} / work out {x} times {y} / ?I need {x} times {y}
        find the product of {x} and {y} / ?what's {x} [times|multiplied by] {y} / compute the product of {x} and {y}
    """),
        "print({x} * {y})",
    ),
    Task(
        phrasings("""
        ?what is {x} [plus|+|and] {y} / add {x} [and|to|plus] {y} / ?{x} [plus|+] {y} / ?how much is {x} [plus|+] {y}
        ?what do you get when you add {x} and {y} / compute {x} [plus|+] {y} / calculate {x} [plus|+] {y}
        work out {x} plus {y} / ?what is the sum of {x} and {y} / sum {x} and {y} / ?what's {x} [plus|+] {y}
        find the sum of {x} and {y}
    """),
        "print({x} + {y})",
    ),
    Task(
        phrasings("""
        ?what is {x} [minus|-] {y} / subtract {y} from {x} / ?{x} [minus|-] {y} / ?how much is {x} [minus|-] {y}
        ?what is the difference between {x} and {y} / compute {x} [minus|-] {y} / calculate {x} [minus|-] {y}
        take {y} from {x} / ?what's {x} [minus|-] {y} / work out {x} minus {y} / take away {y} from {x}
    """),
        "print({x} - {y})",
    ),
    Task(
        phrasings("""
        ?what is {x} [divided by|/|over] {y} / divide {x} by {y} / ?{x} [divided by|/] {y}
        ?how much is {x} divided by {y} / ?what do you get when you divide {x} by {y} / compute {x} [divided by|/] {y}
        calculate {x} [divided by|/] {y} / work out {x} divided by {y} / ?what's {x} divided by {y}
        split {x} into {y} equal parts
    """),
        "print({x} / {y})",
    ),
    Task(
        phrasings("""
        ?what is the square root of {x} / compute the square root of {x} / calculate the square root of {x}
        find the square root of {x} / take the square root of {x} / ?square root of {x}
        ?what's the square root of {x} / ?how much is the square root of {x} / work out the square root of {x}
        get the root of {x}
    """),
        "import math\nprint(math.sqrt({x}))",
    ),
    Task(
        phrasings("""
        ?what is {x} to the power of {y} / raise {x} to the power [of |]{y} / compute {x} to the power of {y}
        calculate {x} to the power of {y} / ?{x} to the power of {y} / ?what's {x} raised to {y}
        ?how much is {x} to the power of {y} / take {x} to the power {y}
    """),
        "print({x} ** {y})",
    ),
    Task(
        phrasings("""
        ?what is the remainder of {x} divided by {y} / compute {x} modulo {y} / ?what is {x} mod {y}
        ?what remains when {x} is divided by {y} / find the remainder of {x} divided by {y} / calculate {x} mod {y}
        ?what is left over when you divide {x} by {y} / give me {x} modulo {y}
    """),
        "print({x} % {y})",
    ),
    Task(
        phrasings("""
        ?what is the factorial of {x} / compute the factorial of {x} / calculate the factorial of {x}
        find the factorial of {x} / ?factorial of {x} / work out the factorial of {x}
        ?how much is the factorial of {x} / give me the factorial of {x}
    """),
        "import math\nprint(math.factorial({x}))",
    ),
    Task(
        phrasings("""
        ?what is {x} percent of {y} / compute {x} percent of {y} / calculate {x}% of {y} / ?what is {x}% of {y}
        ?how much is {x} percent of {y} / find {x} percent of {y} / work out {x}% of {y} / ?{x} percent of {y}
    """),
        "print({x} / 100 * {y})",
    ),
    Task(
        phrasings("""
        ?what is the sum of {l} / add [up |]{l} / sum [up |]{l} / compute the sum of {l} / ?what do {l} add up to
        add [up |]the numbers {l} / ?how much is {l} together / calculate the sum of {l} / total {l}
        find the total of {l} / ?what is the total of {l}
    """),
        "print(sum([{m}]))",
    ),
    Task(
        phrasings("""
        ?what is the [average|mean] of {l} / compute the [average|mean] of {l} / calculate the [average|mean] of {l}
        find the [average|mean] of {l} / ?[average|mean] of {l} / work out the [average|mean] of {l}
        ?what's the [average|mean] of {l} / take the [average|mean] of {l} / average {l}
        get the average of the numbers {l}
    """),
        "numbers = [{m}]\nprint(sum(numbers) / len(numbers))",
    ),
    Task(
        phrasings("""
        ?what is the [largest|biggest|highest] of {l} / find the [largest|biggest] of {l}
        ?which is the [largest|biggest] of {l} / ?what is the maximum of {l} / find the maximum of {l}
        ?which number is the [largest|highest], {l} / compute the maximum of {l} / pick the [largest|biggest] of {l}
    """),
        "print(max([{m}]))",
    ),
    Task(
        phrasings("""
        ?what is the [smallest|lowest] of {l} / find the [smallest|lowest] of {l}
        ?which is the [smallest|lowest] of {l} / ?what is the minimum of {l} / find the minimum of {l}
        ?which number is the smallest, {l} / compute the minimum of {l} / pick the smallest of {l}
    """),
        "print(min([{m}]))",
    ),
    Task(
        phrasings("""
        sort [the numbers |]{l} / put {l} in order / ?what is the sorted order of {l} / arrange {l} in ascending order
        order [the numbers |]{l} / sort {l} from small to large / sort these numbers: {l} / bring {l} into order
    """),
        "print(sorted([{m}]))",
    ),
    Task(
        phrasings("""
        ?how many letters [are in|does] the word {w} [|have] / count the letters [in|of] [the word |]{w}
        ?how long is the word {w} / ?how many characters are in {w} / ?what is the length of [the word |]{w}
        count the characters in {w} / compute the length of the word {w} / find the length of {w}
        ?how many letters has {w}
    """),
        'print(len("{w}"))',
    ),
    Task(
        phrasings("""
        ?how many times does [the letter |]{c} [appear|occur] in [the word |]{w}
        count the letter {c} in [the word |]{w} / ?how many {c}'s are [there |]in [the word |]{w}
        ?how often does [the letter |]{c} [occur|appear] in [the word |]{w} / ?how many times is the letter {c} in {w}
        count how often {c} appears in {w} / count the {c}'s in [the word |]{w}
        find how many times {c} occurs in {w}
    """),
        'print("{w}".count("{c}"))',
    ),
    Task(
        phrasings("""
        reverse [the word |]{w} / ?what is {w} [spelled |written |]backwards / spell {w} backwards
        write [the word |]{w} backwards / ?how do you [spell|write] {w} backwards / turn the word {w} around
        ?what's the reverse of {w} / print {w} in reverse / reverse the letters of {w}
    """),
        'print("{w}"[::-1])',
    ),
    Task(
        phrasings("""
        [write|put] {w} in upper case / ?what is {w} in capital letters / convert {w} to upper case
        turn {w} into capitals / make {w} upper case / print {w} in capitals / ?how does {w} look in upper case
        change {w} to upper case
    """),
        'print("{w}".upper())',
    ),
)
ERRORS = (
    "ZeroDivisionError: division by zero",
    "NameError: name '{w}' is not defined",
    "SyntaxError: invalid syntax",
    "ValueError: math domain error",
    "ModuleNotFoundError: No module named '{w}'",
    "TypeError: unsupported operand",
    "OverflowError: result too large",
)


def task(rng: random.Random, side: Side) -> tuple[str, str]:
    """Return a request and the code that answers it."""
    kind = rng.choice(TASKS)
    small = "**" in kind.code or "factorial" in kind.code
    numbers = [
        str(rng.randrange(2, 30)) if small else value(rng, "number", side).replace(",", "")
        for _ in range(rng.choice((3, 3, 4, 5)))
    ]
    word = value(rng, "name", side)
    word = word.lower() if rng.random() < 0.75 else word
    joined = ", ".join(numbers[:-1]) + rng.choice((" and ", ", ", ", and ")) + numbers[-1]
    slots = {
        "x": numbers[0],
        "y": numbers[1],
        "l": joined,
        "m": ", ".join(numbers),
        "w": word,
        "c": rng.choice(word.lower()),
    }
    asked = kind.asked.extended(variety_orders.TASKS[kind.code])
    return state(order(rng, asked, side.wording), slots), state(kind.code, slots)


def computing(rng: random.Random, side: Side) -> Dialog:
    """Return a computation that is answered by a call of the code interpreter."""
    asked, program = task(rng, side)
    tools = () if rng.random() < 0.6 else toolbox(rng, rng.choice((SEARCH, MEMORY)))
    return plain("tool_code", asked, "<|python_tag|>" + program, system(rng, tools, ipython=True), "<|eom_id|>")


def computed(rng: random.Random, side: Side) -> Dialog:
    """Return a computation with the interpreter's output, whose text or error has to be told."""
    asked, program = task(rng, side)
    section = system(rng, () if rng.random() < 0.7 else toolbox(rng, SEARCH), ipython=True)
    call = answer("<|python_tag|>" + program, "<|eom_id|>")
    if rng.random() < 0.25:
        error = state(rng.choice(ERRORS), {"w": value(rng, "name", side).lower()})
        status = rng.choice(("error", "error", "completed"))
        trace = (
            ""
            if rng.random() < 0.5
            else f'Traceback (most recent call last):\n  File "main.py", line {rng.randrange(1, 9)}\n'
        )
        return with_result(
            asked, call, f"{status}\n[stderr]\n{trace}{error}\n[/stderr]", f"The code failed: {error}", section
        )
    number = value(rng, "number", side).replace(",", "")
    output = rng.choice(
        (
            number,
            number,
            f"{number}.0",
            f"{number}.{rng.randrange(1, 999)}",
            f"-{number}",
            value(rng, "name", side),
            f"[{number}, {rng.randrange(999)}]",
            value(rng, "name", side).lower(),
            f"{rng.choice(entities.DAYS)} {number}",
        )
    )
    return with_result(asked, call, f"completed\n[stdout]\n{output}\n[/stdout]", f"The result is {output}.", section)
