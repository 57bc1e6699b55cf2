"""Checks requests against the protovalidate rules of the contracts, so that servicers see valid ones only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from protovalidate import Validator
from protovalidate import Violation as Found

from mesh.contracts import RULES
from mesh.errors import InvalidField, Violation
from mesh.methods import Method
from mesh.pipeline import Call, Proceed

_ON_FIELD, _ON_ONEOF, _ON_MESSAGE = RULES


class Validation:
    """Refuses a request that breaks a rule with INVALID_ARGUMENT and the path of each bad field.

    A message type without any rule, in itself or below, is not looked at. Each message of a request stream is checked
    when the servicer reads it.
    """

    def __init__(self) -> None:
        self._validator = Validator()

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` behind the checks, or as it is if the method's request has no rules."""
        if method.input is None or method.infrastructure or not has_rules(method.input):
            return proceed

        async def validated(call: Call) -> Any:
            if isinstance(call.request, Message):
                self.check(call.request)
            else:
                call.request = self._each(call.request)
            return await proceed(call)

        return validated

    def check(self, message: Message) -> None:
        """Check one message.

        Raises:
            InvalidField: it breaks rules; every violation is in it, the message names the first.
        """
        if found := self._validator.collect_violations(message):
            raise InvalidField.of([_violation(item) for item in found])

    async def _each(self, messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for message in messages:
            self.check(message)
            yield message


def has_rules(root: Descriptor) -> bool:
    """Return whether a message type or any type that it holds has a protovalidate rule."""
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        current = waiting.pop()
        if current.full_name in seen:
            continue
        seen.add(current.full_name)
        if current.GetOptions().HasExtension(_ON_MESSAGE):
            return True
        if any(oneof.GetOptions().HasExtension(_ON_ONEOF) for oneof in current.oneofs):
            return True
        if any(field.GetOptions().HasExtension(_ON_FIELD) for field in current.fields):
            return True
        waiting += [field.message_type for field in current.fields if field.message_type is not None]
    return False


def _violation(found: Found) -> Violation:
    """Return a violation with its path spelled as in ``messages[2].metadata["key"].content``."""
    proto = found.proto
    path = ""
    for element in proto.field.elements if proto.field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        path += _subscript(element)
    return Violation(path, proto.message or f"breaks the rule {proto.rule_id}")


def _subscript(element: Any) -> str:
    """Return the index or key of a path element in brackets, or nothing for a single field."""
    if element.subscript is None:
        return ""
    key = element.subscript.value
    return f"[{json.dumps(key)}]"
