"""Forms: what JSON values a type accepts and how each becomes wire bytes.

Knows nothing about descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Writer = Callable[[object, int], bytes]
Fit = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Profile:
    """By what an object is told from others: its constant member, its required members and all its members.

    Each required member is a tuple of the names that it may have. No ``known`` means that any member may occur.
    """

    constant: tuple[str, str] | None = None
    required: tuple[tuple[str, ...], ...] = ()
    known: frozenset[str] | None = None

    def fits(self, value: Mapping[str, object]) -> bool:
        """Return whether an object carries the constant and every required member."""
        if self.constant and value.get(self.constant[0]) != self.constant[1]:
            return False
        return all(any(value.get(name) is not None for name in names) for names in self.required)

    def knows(self, value: Mapping[str, object]) -> bool:
        """Return whether an object has no member that does not belong here."""
        return self.known is None or value.keys() <= self.known


@dataclass(slots=True, eq=False)
class Form:
    """How the JSON values of one type are read.

    Attributes:
        write: turns a JSON value and the number of message levels that may follow into content bytes, without tag and
            length; raises DecodeError. A form that refers to itself gets it last.
        wire_type: the wire type of the content.
        expected: a phrase for what is accepted.
        own: for each Python type of JSON values except dict that is the type's own JSON, whether a value fits; None
            means always.
        also: the same for spellings that are read besides, such as digits in a string for an integer. In a union they
            count after every own one.
        objects: the objects that are accepted.
        codes: the content bytes of an enum's spellings.
        certain: for Python types of which there is nothing to decide, what ``write`` would come to.
    """

    write: Writer
    wire_type: int
    expected: str
    own: Mapping[type, Fit | None] = field(default_factory=dict)
    also: Mapping[type, Fit | None] = field(default_factory=dict)
    objects: tuple[Profile, ...] = ()
    certain: Mapping[type, Writer] = field(default_factory=dict)
    codes: Mapping[str, bytes] = field(default_factory=dict)

    def accepts(self, value: object) -> bool:
        """Return whether a value is of this form as far as its JSON type and its distinctive members tell."""
        if isinstance(value, dict):
            return any(profile.fits(value) for profile in self.objects)
        if type(value) not in self.own:
            return False
        fit = self.own[type(value)]
        return fit is None or fit(value)


def either(phrases: Iterable[str]) -> str:
    """Return phrases, each once, as an enumeration: "a", "a or b", "a, b or c"."""
    *others, last = dict.fromkeys(phrases)
    return f"{', '.join(others)} or {last}" if others else last


def succeeds(check: Callable[[object], object]) -> Fit:
    """Return whether a check takes a value, as a predicate."""

    def fits(value: object) -> bool:
        try:
            check(value)
        except ValueError:
            return False
        return True

    return fits
