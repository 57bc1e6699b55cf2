"""Compares two sets of facts (see ``tools.rfc_facts``): what the RFC says, and what the gateway says.

A difference has a kind, a place and a detail. Places are told in the RFC's own terms: "POST /inference/completion", or
"SamplingParams.top_k" for a member, with "[]" for the items of an array and "{}" for the values of a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Shape: TypeAlias = Any
Facts: TypeAlias = Mapping[str, Any]

REFERENCE = "#/components/schemas/"
JSON, EVENTS = "application/json", "text/event-stream"
# what says how values are built; everything else in a schema bounds them
STRUCTURE = frozenset(
    {
        "type",
        "properties",
        "required",
        "items",
        "additionalProperties",
        "anyOf",
        "enum",
        "$ref",
        "allOf",
        "oneOf",
        "not",
    }
)
EVERYTHING = frozenset({"null", "boolean", "number", "string", "array", "object"})


@dataclass(frozen=True, order=True)
class Difference:
    """One way in which the gateway is not as the RFC says."""

    kind: str
    where: str
    detail: str = ""


@dataclass(frozen=True)
class _Branch:
    """One alternative of a union: what it is matched by, where it is written, and its schema."""

    name: str
    place: str
    shape: Shape


def compare(rfc: Facts, ours: Facts) -> set[Difference]:
    """Return everything in which our facts differ from the RFC's."""
    return set(_Comparison(rfc, ours).operations())


class _Comparison:
    def __init__(self, rfc: Facts, ours: Facts) -> None:
        self._rfc = rfc
        self._ours = ours
        self._seen: set[tuple[str, str]] = set()

    def operations(self) -> Iterator[Difference]:
        """Yield the differences of all operations, and those that the RFC does not have."""
        matched = set()
        for name, theirs in self._rfc["operations"].items():
            found = name if name in self._ours["operations"] else name.rstrip("/")
            if found not in self._ours["operations"]:
                yield Difference("operation-missing", name)
                continue
            if found != name:
                yield Difference("trailing-slash", name)
            matched.add(found)
            yield from self._operation(name, theirs, self._ours["operations"][found])
        for name in sorted(self._ours["operations"].keys() - matched):
            known = self._ours["operations"][name].get("same_as", name) in self._rfc["operations"]
            yield Difference("binding-added" if known else "operation-added", name)

    def _operation(self, name: str, rfc: Facts, ours: Facts) -> Iterator[Difference]:
        for parameter in rfc["parameters"].keys() - ours["parameters"].keys():
            yield Difference("parameter-missing", f"{name} {parameter}")
        for parameter, mine in ours["parameters"].items():
            place = f"{name} {parameter}"
            if parameter not in rfc["parameters"]:
                yield Difference("parameter-added", place, "required" if mine["required"] else "")
                continue
            theirs = rfc["parameters"][parameter]
            if theirs["required"] != mine["required"]:
                yield Difference("parameter-required", place, str(mine["required"]).lower())
            yield from self._schema(place, theirs["schema"], mine["schema"])
        yield from self._body(f"{name} body", rfc.get("body"), ours.get("body"))
        for status in ours["responses"].keys() - rfc["responses"].keys():
            yield Difference("status-added", f"{name} {status}")
        for status, theirs in rfc["responses"].items():
            if status not in ours["responses"]:
                yield Difference("status-missing", f"{name} {status}")
            else:
                yield from self._content(f"{name} {status}", theirs, ours["responses"][status])

    def _body(self, place: str, rfc: Facts | None, ours: Facts | None) -> Iterator[Difference]:
        if rfc is None or ours is None:
            if rfc is not ours:
                yield Difference("body-missing" if ours is None else "body-added", place)
            return
        if rfc["required"] != ours["required"]:
            yield Difference("body-required", place, str(ours["required"]).lower())
        yield from self._content(place, rfc["content"], ours["content"])

    def _content(self, place: str, rfc: Facts, ours: Facts) -> Iterator[Difference]:
        moved = {}
        for kind, theirs in rfc.items():
            # the RFC files the events of a stream under application/json, beside nothing that is not streamed
            streamed = str(theirs.get("$ref", "")).endswith("StreamChunk") and EVENTS in ours
            actual = EVENTS if streamed else kind
            if actual not in ours:
                yield Difference("media-type-missing", place, kind)
                continue
            if actual != kind:
                yield Difference("media-type-moved", place, f"{kind} -> {actual}")
            moved[actual] = kind
            yield from self._schema(place, theirs, ours[actual])
        for kind in ours.keys() - moved.keys():
            yield Difference("media-type-added" if rfc else "content-added", place, kind)

    def _schema(self, place: str, rfc: Shape, ours: Shape) -> Iterator[Difference]:
        """Yield the differences of two schemas; what two names stand for is compared once."""
        theirs, mine = self._branches(place, rfc, self._rfc), self._branches(place, ours, self._ours)
        if not theirs or not mine:
            if theirs != mine:
                yield Difference("anything" if not mine else "unspecified", place)
            return
        yield from self._union(place, theirs, mine)

    def _branches(self, place: str, schema: Shape, facts: Facts) -> list[_Branch]:
        """Return the alternatives of a schema; none when anything goes."""
        if "$ref" in schema:
            target = schema["$ref"].removeprefix(REFERENCE)
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            branches = self._branches(target, facts["schemas"][target], facts)
            return [replace(branch, shape=branch.shape | beside) for branch in branches]
        if "anyOf" in schema:
            branches = [branch for part in schema["anyOf"] for branch in self._branches(place, part, facts)]
            return [] if {branch.name for branch in branches} >= EVERYTHING else branches
        if isinstance(schema.get("type"), list):
            return [_branch(place, schema | {"type": kind}) for kind in schema["type"]]
        return [_branch(place, schema)] if schema.keys() & STRUCTURE else []

    def _union(self, place: str, rfc: list[_Branch], ours: list[_Branch]) -> Iterator[Difference]:
        """Match the alternatives of two unions and yield the differences of each pair."""
        left = list(ours)
        for theirs in rfc:
            candidates = [branch for branch in left if branch.name == theirs.name]
            if not candidates:
                yield Difference("alternative-missing", place, theirs.name)
                continue
            best = min(candidates, key=lambda branch: _distance(theirs.shape, branch.shape))
            left.remove(best)
            yield from self._once(theirs, best)
        for branch in left:
            if branch.name == "null":
                yield Difference("null-accepted", place)
            else:
                yield Difference("alternative-added", place, branch.name)

    def _once(self, rfc: _Branch, ours: _Branch) -> Iterator[Difference]:
        """Yield the differences of two alternatives, unless they have been looked at already."""
        pair = (rfc.place, repr(ours.shape))
        if pair not in self._seen:
            self._seen.add(pair)
            yield from self._one(rfc.place, rfc.shape, ours.shape)

    def _one(self, place: str, rfc: Shape, ours: Shape) -> Iterator[Difference]:
        """Yield the differences of two schemas of one type."""
        theirs, mine = rfc.get("enum"), ours.get("enum")
        for value in set(theirs or ()) - set(mine or ()):
            yield Difference("value-missing", place, str(value))
        for value in set(mine or ()) - set(theirs or ()):
            yield Difference("value-added" if theirs else "bound-added", place, str(value))
        for keyword in sorted((rfc.keys() | ours.keys()) - STRUCTURE):
            if rfc.get(keyword) != ours.get(keyword):
                if keyword == "format" and keyword not in rfc:
                    yield Difference("format-added", place, ours[keyword])
                    continue
                kind = "bound-added" if keyword not in rfc else "bound-missing" if keyword not in ours else "bound"
                yield Difference(kind, place, f"{keyword} {ours.get(keyword, rfc.get(keyword))}")
        if "properties" in rfc or "properties" in ours:
            yield from self._members(place, rfc, ours)
        elif "items" in rfc or "items" in ours:
            yield from self._schema(f"{place}[]", rfc.get("items", {}), ours.get("items", {}))
        elif ours.get("type") == "object":
            yield from self._schema(f"{place}{{}}", _values(rfc), _values(ours))

    def _members(self, place: str, rfc: Shape, ours: Shape) -> Iterator[Difference]:
        """Yield the differences of two objects with named members."""
        if _values(rfc) != _values(ours):
            yield Difference("additional-members", place, str(ours.get("additionalProperties")))
        theirs, mine = rfc.get("properties", {}), ours.get("properties", {})
        choices = list(_choices(ours))
        needed = set(ours.get("required", ())) | {name for names in choices for name in names if name in theirs}
        for name in sorted(theirs.keys() | mine.keys()):
            where = f"{place}.{name}"
            if name not in mine:
                yield Difference("member-missing", where)
            elif name not in theirs:
                alias = any(name in names and set(names) & theirs.keys() for names in choices)
                kind = "alias-added" if alias else "member-added"
                yield Difference(kind, where, "required" if name in needed else "")
            else:
                if (name in needed) != (name in rfc.get("required", ())):
                    yield Difference("member-required" if name in needed else "member-optional", where)
                yield from self._schema(where, theirs[name], mine[name])


def _branch(place: str, schema: Shape) -> _Branch:
    return _Branch(_name(schema), place, schema)


def _name(schema: Shape) -> str:
    """Return what an alternative is matched by: its type, and its constant or whether it is an enum."""
    for member, value in sorted(schema.get("properties", {}).items()):
        if "const" in value:
            return f"object {member}={value['const']}"
    kind = str(schema.get("type", "any"))
    return f"{kind} enum" if "enum" in schema and kind == "string" else kind


def _distance(rfc: Shape, ours: Shape) -> int:
    """Return in how many members two objects differ."""
    return len(rfc.get("properties", {}).keys() ^ ours.get("properties", {}).keys())


def _values(schema: Shape) -> Shape:
    """Return the schema of the members that an object does not name; False for none."""
    values = schema.get("additionalProperties", {})
    return {} if values is True else values


def _choices(schema: Shape) -> Iterator[list[str]]:
    """Yield the groups of members of which one has to be there."""
    for part in [schema, *schema.get("allOf", ())]:
        if "oneOf" in part:
            yield [name for choice in part["oneOf"] for name in choice["required"]]
