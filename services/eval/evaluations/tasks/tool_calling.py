"""How well a model calls tools.

A row without a wanted call measures ``no_call_accuracy`` alone, one with wanted calls the others. Calls are compared as
a whole in any order: a model that asks for two cities in the other order is right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from llamastack.common.v1.tool_pb2 import ToolCall, ToolDefinition, ToolParamDefinition
from mesh.errors import InvalidField
from mesh.json_text import Loose, loose_of
from services.eval.evaluations import dialogs
from services.eval.evaluations.generation import Ask, Model, said
from services.eval.evaluations.sample import Outcome, Row
from services.eval.evaluations.scorers import means
from services.eval.evaluations.tasks.answers import Asked, prepared


@dataclass(frozen=True, slots=True)
class Call:
    """A tool's name, and its arguments as JSON with sorted members."""

    name: str
    arguments: str


class ToolCalling:
    """Compares the calls that a model makes with those that were wanted.

    Args:
        model: who calls.
        tools: what may be called where a row does not say.
        system: what the model is told in front; None for nothing.
    """

    def __init__(self, model: Model, tools: Sequence[ToolDefinition], system: str | None) -> None:
        self._model = model
        self._tools = tuple(tools)
        self._system = system

    async def score(self, rows: Sequence[Row]) -> AsyncGenerator[Outcome]:
        """Yield how right each row's calls are."""
        asked, refused = prepared(rows, self._prepare)
        for outcome in refused:
            yield outcome
        async with aclosing(self._model.answers([item.ask for item in asked])) as answers:
            async for answer in answers:
                item = asked[answer.index]
                if answer.message is None:
                    yield Outcome(item.row, references=item.references, error=answer.error)
                    continue
                made = [_made(call) for call in answer.message.tool_calls]
                scores, statistics = means(compared(wanted(item.row), made))
                output = _written(made) if made else said(answer.message)
                yield Outcome(item.row, output, item.references, scores, statistics)

    def _prepare(self, row: Row) -> Asked:
        lead = [] if self._system is None else [dialogs.system(self._system)]
        messages = [*lead, *dialogs.dialog(row.get("dialog"), "dialog")]
        tools = row.get("tools")
        definitions = self._tools if tools is None else [_definition(item) for item in _list(tools, "tools")]
        return Asked(row, Ask(messages, tools=definitions), [_written(wanted(row))])


def compared(right: Sequence[Call], made: Sequence[Call]) -> Mapping[str, float]:
    """Return the scores of the calls that were made, each 0 to 1.

    ``name_accuracy`` is the share of wanted calls whose tool was called, ``arguments_accuracy`` the share of those
    that were made with the same arguments, ``exact_match`` whether nothing is missing and nothing too much.
    """
    if not right:
        return {"no_call_accuracy": float(not made)}
    names = Counter(call.name for call in right) & Counter(call.name for call in made)
    same = Counter(right) & Counter(made)
    return {
        "name_accuracy": names.total() / len(right),
        "arguments_accuracy": same.total() / len(right),
        "exact_match": float(Counter(right) == Counter(made)),
    }


def wanted(row: Row) -> Sequence[Call]:
    """Return the calls that would be right.

    Raises:
        InvalidField: the row does not say.
    """
    found = []
    for index, item in enumerate(_list(row.get("tool_calls"), "tool_calls")):
        name, arguments = dialogs.call_parts(item, f"tool_calls[{index}]")
        found.append(Call(name, _json(dict(arguments))))
    return found


def _made(call: ToolCall) -> Call:
    arguments = {key: loose_of(value) for key, value in call.arguments.items()}
    return Call(dialogs.written_name(call.tool_name), _json(arguments))


def _written(calls: Sequence[Call]) -> str:
    return _json([{"tool_name": call.name, "arguments": json.loads(call.arguments)} for call in calls])


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _definition(value: Loose) -> ToolDefinition:
    """Return the definition of a tool in the RFC's form.

    Raises:
        InvalidField: it is something else.
    """
    name = value.get("tool_name") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str):
        raise InvalidField("tools", "tool definitions with a tool_name are needed")
    described = value.get("description")
    parameters = value.get("parameters")
    made = ToolDefinition(
        tool_name=dialogs.tool_name(name), description=described if isinstance(described, str) else None
    )
    for key, item in (parameters if isinstance(parameters, dict) else {}).items():
        if not isinstance(item, dict):
            raise InvalidField(f"tools.{name}.parameters", "an object with param_type for each parameter is needed")
        about, required = item.get("description"), item.get("required")
        made.parameters[key].CopyFrom(
            ToolParamDefinition(
                param_type=str(item.get("param_type", "string")),
                description=about if isinstance(about, str) else None,
                required=required if isinstance(required, bool) else None,
            )
        )
    return made


def _list(value: Loose, column: str) -> list[Loose]:
    if not isinstance(value, list):
        raise InvalidField(column, "a list is needed")
    return value
