"""The prompt text of the built-in model: Llama 3 messages, system section, retrieved context, tools and guard task.

These are the exact conventions the model was trained on; whoever builds prompts for it can import the constants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from services.agents.safety.guard_task import AGENT, CATEGORIES, USER, task

from .dialogs import Dialog, System

CONTEXT_BEGIN = "--- retrieved context ---"
CONTEXT_END = "--- end of context ---"
CUTOFF = "December 2023"

SPECIAL_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)

CHAT_TEMPLATE = """{{- bos_token -}}
{%- for message in messages -%}
{%- set role = 'ipython' if message['role'] == 'tool' else message['role'] -%}
{{- '<|start_header_id|>' + role + '<|end_header_id|>\n\n' -}}
{%- if message['content'] is string -%}{{- message['content'] | trim -}}
{%- elif message['content'] -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- if message['tool_calls'] -%}
{%- set call = message['tool_calls'][0]['function'] -%}
{{- '<|python_tag|>{"type": "function", "name": "' + call['name'] + '", "parameters": ' -}}
{{- (call['arguments'] if call['arguments'] is string else call['arguments'] | tojson) + '}<|eom_id|>' -}}
{%- elif role == 'assistant' and message['content'] is string and '<|python_tag|>' in message['content'] -%}
{{- '<|eom_id|>' -}}
{%- else -%}{{- '<|eot_id|>' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%}
"""

GUARD_CATEGORIES = CATEGORIES


def with_context(text: str, chunks: Sequence[tuple[str, str]]) -> str:
    """Return user content followed by retrieved chunks, given as pairs of document id and text."""
    lines = [f"[{name}] {chunk}" for name, chunk in chunks]
    return "\n".join((text, CONTEXT_BEGIN, *lines, CONTEXT_END))


def system_text(system: System) -> str:
    """Return the content of the system message in the order that Llama 3.1 expects."""
    lines = []
    if system.ipython or system.tools:
        lines.append("Environment: ipython")
    if system.tools:
        lines.append("Tools: " + ", ".join(system.tools))
    if system.dates:
        lines += [f"Cutting Knowledge Date: {CUTOFF}", f"Today Date: {system.dates}"]
    head = "\n".join(lines)
    return f"{head}\n\n{system.instructions}".strip() if system.instructions else head


def guard_text(role: str, conversation: Sequence[tuple[str, str]], codes: Sequence[str]) -> str:
    """Return a Llama Guard 3 task over a conversation of (role, text) pairs, judging the last message of `role`."""
    talk = [(_guard_role(who), text) for who, text in conversation]
    return task(_guard_role(role), codes, talk)


def _guard_role(role: str) -> str:
    return AGENT if role == "assistant" else USER


def builtin_call(tool: str, query: str) -> str:
    """Return the call of a server-side tool with a query."""
    return f'<|python_tag|>{tool}.call(query="{query}")'


def json_call(name: str, parameters: Mapping[str, object]) -> str:
    """Return the call of a custom tool in the json format."""
    call = {"type": "function", "name": name, "parameters": dict(parameters)}
    return "<|python_tag|>" + json.dumps(call, ensure_ascii=False)


def header(role: str) -> str:
    """Return the header that opens a message."""
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


def segments(dialog: Dialog) -> list[tuple[str, bool]]:
    """Return the whole dialog as pieces of text, each with whether the model has to learn it."""
    pieces = [("<|begin_of_text|>", False)]
    if dialog.system is not None:
        pieces.append((header("system") + system_text(dialog.system) + "<|eot_id|>", False))
    if dialog.definitions:
        pieces.append((header("user") + dialog.definitions + "<|eot_id|>", False))
    for message in dialog.messages:
        pieces.append((header(message.role), False))
        pieces.append((message.content + message.end, message.role == "assistant" and message.learned))
    return pieces


def prompt(dialog: Dialog) -> str:
    """Return the text up to the open header of the last answer."""
    return "".join(text for text, _ in segments(dialog)[:-1])
