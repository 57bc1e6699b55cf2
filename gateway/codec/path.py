"""Paths of fields, as validation reports them, to paths of members in the message's JSON.

They differ where a message is inline: `messages[0].user.content.text` is `messages[0].content`.
"""

from __future__ import annotations

import re

from google.protobuf.descriptor import Descriptor

from gateway.codec.plan import plan_of

_STEP = re.compile(r'\.?(?P<name>[A-Za-z_]\w*)(?P<subscripts>(?:\[(?:\d+|true|false|"(?:[^"\\]|\\.)*")\])*)')


def json_path(message: Descriptor, path: str) -> str:
    """Return a field's path as the caller wrote it; what can't be read is kept as it is."""
    out = ""
    current: Descriptor | None = message
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None or current is None:
            return (out + path[position:]).removeprefix(".")
        plan = plan_of(current)
        field = current.fields_by_name.get(step["name"])
        of_message = field is not None or step["name"] in current.oneofs_by_name
        if not (plan.inline and of_message):
            out += f".{step['name']}"
        out += step["subscripts"]
        current = _target(field.message_type) if field is not None else None
        position = step.end()
    return out.removeprefix(".")


def _target(message: Descriptor | None) -> Descriptor | None:
    """Return the message that the next step is a field of: of a map it is the value's."""
    if message is not None and message.GetOptions().map_entry:
        return message.fields_by_name["value"].message_type
    return message
