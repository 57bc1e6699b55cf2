"""The gateway's OpenAPI document against the RFC's of 20 August 2024."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gateway.contract import Contract
from gateway.openapi import Settings, render
from tests.conformance import divergences
from tests.conformance.comparison import Difference, compare
from tests.conformance.divergences import Divergence
from tools.rfc_facts import facts_of

HERE = Path(__file__).resolve().parent
DIVERGENCES = HERE.parent.parent / "docs" / "divergences.toml"


@cache
def rfc() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((HERE / "rfc_2024_08_20.json").read_text())
    return facts


@cache
def differences() -> frozenset[Difference]:
    contract = Contract((files("llamastack") / "descriptors.binpb").read_bytes())
    return frozenset(compare(rfc(), facts_of(render(contract, Settings()))))


@cache
def named() -> Sequence[Divergence]:
    return divergences.load(DIVERGENCES)


def test_the_facts_hold_all_of_the_rfc() -> None:
    paths = {operation.split(" ", 1)[1] for operation in rfc()["operations"]}

    assert (len(paths), len(rfc()["operations"]), len(rfc()["schemas"])) == (55, 55, 101)


def test_every_operation_of_the_rfc_is_served() -> None:
    missing = {difference.where for difference in differences() if difference.kind == "operation-missing"}

    assert missing == set()


def test_every_schema_of_the_rfc_is_reached_from_its_operations() -> None:
    text = json.dumps(rfc()["operations"])
    reached: set[str] = set()
    while more := {name for name in rfc()["schemas"] if f'/{name}"' in text} - reached:
        reached |= more
        text += "".join(json.dumps(rfc()["schemas"][name]) for name in more)

    assert reached == rfc()["schemas"].keys()


def test_every_difference_is_a_named_divergence() -> None:
    unnamed = sorted(d for d in differences() if not any(divergence.covers(d) for divergence in named()))

    assert unnamed == []


def test_no_difference_has_two_names() -> None:
    claimed = {d: [divergence.name for divergence in named() if divergence.covers(d)] for d in differences()}

    assert {difference: names for difference, names in claimed.items() if len(names) > 1} == {}


def test_every_place_of_every_divergence_is_needed() -> None:
    unused = [
        (divergence.name, place)
        for divergence in named()
        for place in divergence.where
        if not any(divergence.covers_at(place, difference) for difference in differences())
    ]

    assert unused == []


def test_divergences_have_names_of_their_own_and_reasons() -> None:
    twice = [name for name, count in Counter(divergence.name for divergence in named()).items() if count > 1]
    unreasoned = [divergence.name for divergence in named() if len(divergence.reason.split()) < 5]

    assert (twice, unreasoned) == ([], [])
