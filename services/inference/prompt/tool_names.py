"""The names of tools as models write them, to and from ToolName messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from llamastack.common.v1.tool_pb2 import BuiltinTool, ToolName

CODE_INTERPRETER: Final = "code_interpreter"

BUILTIN: Final[Mapping[str, BuiltinTool.ValueType]] = MappingProxyType(
    {
        "brave_search": BuiltinTool.BUILTIN_TOOL_BRAVE_SEARCH,
        "wolfram_alpha": BuiltinTool.BUILTIN_TOOL_WOLFRAM_ALPHA,
        "photogen": BuiltinTool.BUILTIN_TOOL_PHOTOGEN,
        CODE_INTERPRETER: BuiltinTool.BUILTIN_TOOL_CODE_INTERPRETER,
    }
)
"""The builtin tools by the name that Llama models know."""

_NAMES: Final[Mapping[int, str]] = MappingProxyType({tool: name for name, tool in BUILTIN.items()})


def text_of(name: ToolName) -> str:
    """Return the name as a model writes it; empty for a name that is not set."""
    return _NAMES.get(name.builtin, "") if name.WhichOneof("name") == "builtin" else name.custom


def name_of(text: str) -> ToolName:
    """Return the message for a name that a model wrote; builtin names become builtin tools."""
    builtin = BUILTIN.get(text)
    return ToolName(custom=text) if builtin is None else ToolName(builtin=builtin)


def is_builtin(name: ToolName) -> bool:
    """Tell whether the tool is one that Llama models know without a definition."""
    return name.WhichOneof("name") == "builtin"
