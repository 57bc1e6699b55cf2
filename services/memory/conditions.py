"""Conditions on metadata: what is indexed of a document's metadata, and what a filter asks of that index.

Every member becomes facts (hashes of its path with its value, and of its path alone), numbers and times, so that one
index answers equality and existence for members of any name, and every store answers alike. Paths lead through objects
by dots and through arrays without a sign. Times are microseconds since 1970. Knows nothing about any store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final, TypeAlias

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.memory.v1.query_pb2 import MetadataCondition, MetadataFilter

_LARGEST: Final = 1.7976931348623157e308
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_DIGITS_OF_SECOND: Final = re.compile(r"\.(\d{6})\d+")


@dataclass(frozen=True, slots=True)
class FactIn:
    """Holds when the document has one of these facts."""

    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberIn:
    """Holds when one of the numbers in a field is within all bounds."""

    field: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


Atom: TypeAlias = FactIn | NumberIn


@dataclass(frozen=True, slots=True)
class Condition:
    """An atom, or that it does not hold."""

    atom: Atom
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of the first, one of the second if there are any, none of the third."""

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    none: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is asked at all."""
        return bool(self.all or self.any or self.none)

    def hold(self, features: Features) -> bool:
        """Return whether a document with these features is chosen."""
        return (
            all(_holds(condition, features) for condition in self.all)
            and (not self.any or any(_holds(condition, features) for condition in self.any))
            and not any(_holds(condition, features) for condition in self.none)
        )


@dataclass(slots=True)
class Features:
    """What is indexed of one document's metadata: facts, and numbers by field."""

    facts: list[str] = field(default_factory=list)
    numbers: dict[str, list[float]] = field(default_factory=dict)


def features(metadata: Mapping[str, JsonValue]) -> Features:
    """Return what is indexed of metadata."""
    found = Features()
    facts: set[str] = set()
    for name in metadata:
        for path, leaf in _members(name, metadata[name]):
            facts.add(_fact(path, "?"))
            if (text := _canonical(leaf)) is not None:
                facts.add(_fact(path, text))
            if (number := _number(leaf)) is not None:
                found.numbers.setdefault(number_field(path), []).append(number)
            if (moment := _moment(leaf)) is not None:
                found.numbers.setdefault(time_field(path), []).append(moment)
    found.facts = sorted(facts)
    return found


def conditions(chosen: MetadataFilter) -> Conditions:
    """Return what a filter asks."""
    return Conditions(_each(chosen.all), _each(chosen.any), _each(chosen.none))


def number_field(path: str) -> str:
    """Return the field that holds a member's numbers."""
    return f"n{_digest(path)}"


def time_field(path: str) -> str:
    """Return the field that holds a member's times."""
    return f"t{_digest(path)}"


def _each(several: Sequence[MetadataCondition]) -> tuple[Condition, ...]:
    return tuple(map(_condition, several))


def _condition(asked: MetadataCondition) -> Condition:
    path = asked.key
    if asked.HasField("exists"):
        return Condition(FactIn((_fact(path, "?"),)), negated=not asked.exists)
    if asked.HasField("range"):
        bounds = {name: getattr(asked.range, name) for name in ("gt", "gte", "lt", "lte") if asked.range.HasField(name)}
        return Condition(NumberIn(number_field(path), **(bounds or {"gte": -_LARGEST})))
    if asked.HasField("time_range"):
        start, end = asked.time_range.start, asked.time_range.end
        return Condition(
            NumberIn(
                time_field(path),
                gte=float(start.ToMicroseconds()) if asked.time_range.HasField("start") else -_LARGEST,
                lt=float(end.ToMicroseconds()) if asked.time_range.HasField("end") else None,
            )
        )
    values = [asked.equals] if asked.HasField("equals") else asked.any_of
    return Condition(FactIn(tuple(_fact(path, text) for text in map(_canonical, values) if text is not None)))


def _holds(condition: Condition, features: Features) -> bool:
    atom = condition.atom
    if isinstance(atom, FactIn):
        found = not set(atom.facts).isdisjoint(features.facts)
    else:
        found = any(_within(atom, number) for number in features.numbers.get(atom.field, ()))
    return found is not condition.negated


def _within(bounds: NumberIn, number: float) -> bool:
    return (
        (bounds.gt is None or number > bounds.gt)
        and (bounds.gte is None or number >= bounds.gte)
        and (bounds.lt is None or number < bounds.lt)
        and (bounds.lte is None or number <= bounds.lte)
    )


def _members(path: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Yield each member that is not null with its path, containers before what they contain."""
    kind = value.WhichOneof("kind")
    if kind in {None, "null_value"}:
        return
    yield path, value
    if kind == "array_value":
        for item in value.array_value.values:
            yield from _members(path, item)
    elif kind == "object_value":
        for name, member in value.object_value.fields.items():
            yield from _members(f"{path}.{name}", member)


def _canonical(value: JsonValue) -> str | None:
    """Return the value's text with its type, the same for 1 and 1.0; None for containers."""
    match value.WhichOneof("kind"):
        case "string_value":
            return f"s{value.string_value}"
        case "bool_value":
            return f"b{value.bool_value}"
        case "integer_value":
            return f"n{value.integer_value}"
        case "big_integer_value":
            return f"n{value.big_integer_value}"
        case "number_value":
            number = value.number_value
            return f"n{int(number)}" if number.is_integer() else f"n{number!r}"
        case _:
            return None


def _number(value: JsonValue) -> float | None:
    match value.WhichOneof("kind"):
        case "integer_value":
            return float(value.integer_value)
        case "number_value":
            return value.number_value
        case "big_integer_value":
            return max(-_LARGEST, min(_LARGEST, float(value.big_integer_value)))
        case _:
            return None


def _moment(value: JsonValue) -> float | None:
    """Return a time of RFC 3339 in microseconds, None for anything else."""
    text = value.string_value
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(_DIGITS_OF_SECOND.sub(r".\1", text.upper()))
    except ValueError:
        return None
    return float((moment - _EPOCH) // timedelta(microseconds=1))


def _fact(path: str, value: str) -> str:
    return _digest(f"{path}\0{value}")


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()
