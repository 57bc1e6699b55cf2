"""Unions: which variant a JSON value is.

The first variant that fits is taken, in order of field numbers: first by the type's own JSON, then by spellings that
are read besides. What was chosen stays chosen, so that an error inside a variant is told and not "nothing fits".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.codec.errors import DecodeError, unfit
from gateway.codec.form import Fit, Form, Profile, Writer, either
from gateway.codec.wire import LENGTH

_Candidates = tuple[tuple[Fit | None, Writer], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """One member of a union: the form of its value and the writer of its field."""

    form: Form
    write: Writer


def union_form(variants: tuple[Variant, ...]) -> Form:
    """Return the form of a union."""
    types = dict.fromkeys(kind for variant in variants for kind in (*variant.form.own, *variant.form.also))
    table: dict[type, _Candidates] = {kind: _candidates(variants, kind) for kind in types}
    objects = [(profile, variant.write) for variant in variants for profile in variant.form.objects]
    if objects:
        table[dict] = ((None, _object_choice(objects)),)
    expected = either(variant.form.expected for variant in variants)

    certain = {kind: found[0][1] for kind, found in table.items() if found and found[0][0] is None}

    def write(value: object, depth: int) -> bytes:
        kind = type(value)
        if kind in certain:
            return certain[kind](value, depth)
        for fits, variant in table.get(kind, ()):
            if fits is None or fits(value):
                return variant(value, depth)
        if value is None:
            return b""
        raise unfit(expected, value)

    return Form(
        write=write,
        wire_type=LENGTH,
        expected=expected,
        own={kind: _any_fit(variants, kind) for kind in types if any(kind in variant.form.own for variant in variants)},
        also={kind: None for kind in types if all(kind not in variant.form.own for variant in variants)},
        objects=tuple(profile for profile, _ in objects),
        certain=certain,
    )


def _candidates(variants: tuple[Variant, ...], kind: type) -> _Candidates:
    """Return the variants that may take values of a Python type.

    A lone one whose own type it is takes all, so that its error is told.
    """
    own = [(variant.form.own[kind], variant.write) for variant in variants if kind in variant.form.own]
    also = [(variant.form.also[kind], variant.write) for variant in variants if kind in variant.form.also]
    return ((None, own[0][1]),) if len(own) == 1 and not also else (*own, *also)


def _any_fit(variants: tuple[Variant, ...], kind: type) -> Fit | None:
    fits = [variant.form.own[kind] for variant in variants if kind in variant.form.own]
    certain = [fit for fit in fits if fit is not None]
    return None if len(certain) < len(fits) else lambda value: any(fit(value) for fit in certain)


def _object_choice(objects: list[tuple[Profile, Writer]]) -> Writer:
    """Return the writer of the object variants of a union."""
    if len(objects) == 1:
        return objects[0][1]
    constants = {profile.constant[0] for profile, _ in objects if profile.constant}
    if len(constants) == 1 and all(profile.constant for profile, _ in objects):
        return _tagged(constants.pop(), {profile.constant[1]: write for profile, write in objects if profile.constant})
    return _best(objects)


def _tagged(name: str, table: Mapping[str, Writer]) -> Writer:
    """Return the writer of variants that one constant member tells apart."""
    expected = either(f'"{value}"' for value in table)

    def write(value: object, depth: int) -> bytes:
        assert type(value) is dict
        mark = value.get(name)
        variant = table.get(mark) if type(mark) is str else None
        if variant is None:
            error = DecodeError(expected, "nothing") if mark is None else unfit(expected, mark)
            raise error.in_member(name)
        return variant(value, depth)

    return write


def _best(objects: list[tuple[Profile, Writer]]) -> Writer:
    """Return the writer of variants that required members tell apart: of those that fit, one that knows all members."""

    def write(value: object, depth: int) -> bytes:
        assert isinstance(value, dict)
        fitting = [(profile, variant) for profile, variant in objects if profile.fits(value)]
        for profile, variant in fitting:
            if profile.knows(value):
                return variant(value, depth)
        if not fitting:
            fitting = [max(objects, key=lambda each: _likeness(each[0], value))]
        return fitting[0][1](value, depth)

    return write


def _likeness(profile: Profile, value: Mapping[str, object]) -> tuple[bool, int]:
    """Return how much an object that fits nowhere looks like a variant: by its constant, then by members in common."""
    marked = profile.constant is not None and value.get(profile.constant[0]) == profile.constant[1]
    return marked, len(profile.known & value.keys()) if profile.known is not None else 0
