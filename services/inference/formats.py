"""Chooses the prompt format of a model that has just been loaded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from mesh.errors import WrongState
from services.inference.config import ModelConfig
from services.inference.engine import EngineInfo, ModelKind
from services.inference.engines.importing import IMPORTING
from services.inference.prompt import tokens
from services.inference.prompt.chat_template import TemplateFormat
from services.inference.prompt.llama3 import Llama3Format
from services.inference.prompt.prompt_format import PromptFormat
from services.inference.prompt.tool_parser import ToolParsers
from services.inference.prompt.vocabulary import Vocabulary

LLAMA3 = (tokens.BEGIN_OF_TEXT, tokens.START_HEADER, tokens.END_HEADER, tokens.EOT, tokens.EOM, tokens.PYTHON_TAG)


def prompt_format(config: ModelConfig, folder: str, info: EngineInfo) -> PromptFormat | None:
    """Return the format, None for a model that holds no conversations.

    Raises:
        WrongState: the configured format needs something that the checkpoint lacks.
    """
    if info.kind is ModelKind.EMBEDDING or not (Path(folder) / "tokenizer.json").is_file():
        return None
    vocabulary = Vocabulary.load(Path(folder))
    wanted = config.prompt_format
    if wanted == "auto":
        wanted = "llama3" if len(vocabulary.known_ids(LLAMA3)) == len(LLAMA3) else "template"
    if wanted == "template":
        return _template_format(config, folder, info, vocabulary)
    try:
        return Llama3Format(vocabulary, lambda: datetime.now(UTC).date(), new_call_id, vision=info.multimodal)
    except ValueError as error:
        raise WrongState(str(error)) from error


def new_call_id() -> str:
    """Return a fresh id for a tool call."""
    return f"call_{uuid4().hex}"


def _template_format(
    config: ModelConfig, folder: str, info: EngineInfo, vocabulary: Vocabulary
) -> TemplateFormat | None:
    with IMPORTING:
        from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.chat_template:
        return None
    parsers = None
    if config.tool_parser:
        special = sorted(tokenizer.all_special_tokens, key=len, reverse=True)
        try:
            parsers = ToolParsers(config.tool_parser, tokenizer, special, new_call_id)
        except KeyError as error:
            raise WrongState(f"vLLM has no tool parser named {config.tool_parser}") from error
    return TemplateFormat(tokenizer, vocabulary, _ends(Path(folder), tokenizer), parsers, vision=info.multimodal)


def _ends(folder: Path, tokenizer: Any) -> tuple[int, ...]:
    """Return the ids that end an answer: those of generation_config.json, else the tokenizer's."""
    settings = folder / "generation_config.json"
    ends = json.loads(settings.read_text()).get("eos_token_id") if settings.is_file() else None
    if ends is None:
        ends = tokenizer.eos_token_id
    return tuple(ends) if isinstance(ends, list) else (() if ends is None else (ends,))
