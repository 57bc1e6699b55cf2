"""The head of the system message of Llama 3: environment, builtin tools, dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from llamastack.common.v1.tool_pb2 import ToolDefinition
from services.inference.prompt.tool_names import CODE_INTERPRETER, is_builtin, text_of

CUTTING_KNOWLEDGE_DATE: Final = "December 2023"
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def date_text(day: date) -> str:
    """Return a date as ``05 July 2024``, whatever the locale."""
    return f"{day.day:02} {_MONTHS[day.month - 1]} {day.year}"


def system_head(tools: Sequence[ToolDefinition], today: date) -> str:
    """Return the lines before the instructions, the last one without a line end.

    Builtin tools are named in the order of the request; code_interpreter needs the environment alone.
    """
    builtin = [text_of(tool.tool_name) for tool in tools if is_builtin(tool.tool_name)]
    named = [name for name in dict.fromkeys(builtin) if name != CODE_INTERPRETER]
    lines = ["Environment: ipython"] if builtin else []
    if named:
        lines.append(f"Tools: {', '.join(named)}")
    lines.append(f"Cutting Knowledge Date: {CUTTING_KNOWLEDGE_DATE}")
    lines.append(f"Today Date: {date_text(today)}")
    return "\n".join(lines)
