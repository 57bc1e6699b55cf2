"""Reads tool calls out of the text in which a model wrote them.

The order is that of the Llama 3 format: function tags, JSON objects, a list of Python calls,
``word.call(query="...")``, and after a python tag anything else is code. Each kind may hold several calls, with spaces,
commas or semicolons between. Only what the text begins with counts, so that an argument or a program may quote a call.
Knows nothing about special tokens and streams.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from llamastack.common.v1.tool_pb2 import ToolCall
from mesh.json_text import Loose, read, unicode, value_of
from services.inference.prompt.call_signs import BUILTIN_CALL, FUNCTION, JsonProbe, Sign
from services.inference.prompt.python_calls import read_calls as read_python_calls
from services.inference.prompt.python_calls import read_string
from services.inference.prompt.tool_names import BUILTIN, CODE_INTERPRETER, name_of

NewCallId: TypeAlias = Callable[[], str]
"""Gives a fresh call id each time."""

_Call: TypeAlias = tuple[str, dict[str, Loose]]
_BETWEEN: Final = re.compile(r"[\s,;]*")
_END_OF_CALL: Final = re.compile(r"\s*\)")
_NAME_LIMIT: Final = 256


def _function_tags(text: str) -> list[_Call]:
    if not text.lstrip().startswith("<function="):
        return []
    calls: list[_Call] = []
    at = 0
    while found := FUNCTION.search(text, at):
        at = found.end()
        try:
            arguments, at = read(text, at)
        except ValueError:
            continue
        if isinstance(arguments, dict):
            calls.append((found[1], arguments))
    return calls


def _json_call(value: Loose) -> _Call | None:
    """Return the call that a JSON value is, if it is one; no parameters at all are no arguments."""
    if not isinstance(value, dict):
        return None
    name = value.get("name")
    arguments = value.get("parameters", value.get("arguments"))
    arguments = {} if arguments is None else arguments
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    return name, arguments


def _json_objects(text: str) -> list[_Call]:
    calls: list[_Call] = []
    at = _space(text, 0)
    while text.startswith("{", at):
        try:
            value, at = read(text, at)
        except ValueError:
            break
        call = _json_call(value)
        if call is None:
            break
        calls.append(call)
        at = _space(text, at)
    return calls


def _python_list(text: str) -> list[_Call]:
    if not text.lstrip().startswith("["):
        return []
    try:
        return read_python_calls(text)
    except ValueError:
        return []


def _queries(text: str) -> list[_Call]:
    calls: list[_Call] = []
    at = _space(text, 0)
    while found := BUILTIN_CALL.match(text, at):
        try:
            query, after = read_string(text, found.end())
        except ValueError:
            break
        end = _END_OF_CALL.match(text, after)
        if end is None:
            break
        calls.append((found[1], {"query": query}))
        at = _space(text, end.end())
    return calls


def _space(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _code(text: str) -> list[_Call]:
    """Return the text as code, unless it is nothing or begins as a call of another kind that can't be read."""
    if not text.strip() or text.lstrip().startswith("<function="):
        return []
    if text.lstrip().startswith("{") and JsonProbe().feed(text) is Sign.CALL:
        return []
    return [(CODE_INTERPRETER, {"code": text})]


def _builtin_arguments(name: str, arguments: dict[str, Loose]) -> dict[str, Loose]:
    """Name the one argument of a builtin tool right: models that use a custom format for it make up the name."""
    right = "code" if name == CODE_INTERPRETER else "query"
    return {right: next(iter(arguments.values()))} if name in BUILTIN and len(arguments) == 1 else arguments


def _message(call: _Call, new_call_id: NewCallId) -> ToolCall:
    name, arguments = call
    if len(name) > _NAME_LIMIT:
        raise ValueError("a tool's name has at most 256 characters")
    arguments = _builtin_arguments(name, arguments)
    values = {unicode(key): value_of(value) for key, value in arguments.items()}
    return ToolCall(call_id=new_call_id(), tool_name=name_of(unicode(name)), arguments=values)


def read_calls(text: str, *, tagged: bool, cut_off: bool, new_call_id: NewCallId) -> list[ToolCall]:
    """Return the calls in a text, in its order, each with a fresh id; none if it can't be read.

    Args:
        text: what the model wrote from the sign of the call on, without special tokens.
        tagged: whether a python tag precedes it, so that text of no other kind is code.
        cut_off: whether the model ran out of tokens, so that code is not whole and not a call.
        new_call_id: gives the ids.
    """
    calls = _function_tags(text) or _json_objects(text) or _python_list(text) or _queries(text)
    if not calls and tagged and not cut_off:
        calls = _code(text)
    try:
        return [_message(call, new_call_id) for call in calls]
    except ValueError:
        return []
