"""Texts of a path or a query to the JSON value of a message.

A name is a member's name or, for a field of a message field, a path of names in dots; what follows a map's name is a
key of the map, dots included. A repeated field takes one text per item. A text stands for itself where the field takes
a string or a number (of an enum as well), `true` and `false` for booleans, and for anything else it is a JSON document.
No path of names leads into a union, which is one value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.codec.decoder import Decoders
from gateway.codec.document import parse
from gateway.codec.errors import DecodeError, unfit
from gateway.codec.form import Form
from gateway.codec.plan import FieldPlan, plan_of

_NUMBER = re.compile(r"-?[0-9]{1,10}")
_BOOLEANS = {"true": True, "false": False}


class Parameters:
    """The parameters of one message type."""

    def __init__(self, message: Descriptor, decoders: Decoders, lenient: bool) -> None:
        """Take the forms of fields from the decoders; unknown names are passed over if lenient."""
        self._decoders = decoders
        self._lenient = lenient
        self._fields = _by_name(message)

    def value(self, pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
        """Return the JSON value that names and texts stand for; the message's decoder checks it.

        Raises:
            DecodeError: a name is unknown, or a field that is not repeated has two texts.
        """
        out: dict[str, Any] = {}
        for name, text in pairs:
            try:
                self._put(out, name, text)
            except DecodeError as error:
                for step in reversed(name.split(".")):
                    error.in_member(step)
                raise
        return out

    def _put(self, out: dict[str, Any], path: str, text: str) -> None:
        fields, steps = self._fields, path.split(".")
        for depth, step in enumerate(steps[:-1], 1):
            field = fields.get(step)
            if field is not None and field.is_map:
                return self._put_entry(out.setdefault(step, {}), field, ".".join(steps[depth:]), text)
            if field is None or field.message is None or field.repeated:
                return self._unknown(fields)
            if plan_of(field.message).union:
                return self._inside(step)
            inner = out.setdefault(step, {})
            if not isinstance(inner, dict):
                raise unfit("an object", inner)
            out = inner
            fields = _by_name(field.message)
        field = fields.get(steps[-1])
        if field is None:
            return self._unknown(fields)
        value = self._read(field, text)
        if field.repeated and not field.is_map:
            out.setdefault(steps[-1], []).append(value)
        elif steps[-1] in out:
            raise DecodeError("one value", "two")
        else:
            out[steps[-1]] = value
        return None

    def _put_entry(self, entries: Any, field: FieldPlan, key: str, text: str) -> None:
        if not isinstance(entries, dict):
            raise unfit("an object", entries)
        if key in entries:
            raise DecodeError("one value", "two")
        assert field.message is not None
        entries[key] = self._read(plan_of(field.message).fields[1], text)

    def _unknown(self, fields: dict[str, FieldPlan]) -> None:
        if not self._lenient:
            known = dict.fromkeys(field.name for field in fields.values())
            raise DecodeError(f"one of the parameters {', '.join(known)}", "an unknown one")

    def _inside(self, name: str) -> None:
        # its JSON has no member of the variant's name, so that no path leads into it
        if not self._lenient:
            raise DecodeError(f"a JSON document as the value of {name}", "a name inside of it")

    def _read(self, field: FieldPlan, text: str) -> object:
        if field.descriptor.enum_type is not None and _NUMBER.fullmatch(text):
            return int(text)
        form: Form = self._decoders.item(field)
        if str in form.own or str in form.also:
            return text
        if bool in form.own:
            return _BOOLEANS.get(text, text)
        return parse(text.encode())


def _by_name(message: Descriptor) -> dict[str, FieldPlan]:
    """Return the fields of a message by every name that is read."""
    return {name: field for field in plan_of(message).fields for name in field.names}
