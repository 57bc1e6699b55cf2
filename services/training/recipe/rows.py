"""Rows of a dataset as what trainers take: token ids with labels, or prompts with answers.

Messages are the RFC's; the checkpoint's own chat template turns them into text. What is not learnt has the label -100.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from datasets import Dataset  # type: ignore[import-untyped]  # it has no types
from transformers import PreTrainedTokenizerBase

from services.training.recipe.attempts import BadSetting
from services.training.recipe.spec import Rows

IGNORED: Final = -100


class BadRow(BadSetting):
    """A row can't be learnt from; the message names it and is meant for the client."""


def read(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each row, from 0, and the row."""
    number = 0
    for name in rows.files:
        with Path(name).open(encoding="utf-8") as file:
            for line in file:
                yield number, json.loads(line)
                number += 1


def examples(rows: Rows, tokenizer: PreTrainedTokenizerBase, longest: int | None, assistant_only: bool) -> Dataset:
    """Return ``input_ids`` and ``labels`` for supervised training, cut at the end to ``longest`` tokens.

    Raises:
        BadRow: a row has nothing to learn or does not fit the chat template.
    """
    made = []
    for number, row in read(rows):
        ids, labels = _example(rows, row, number, tokenizer, assistant_only)
        ids, labels = ids[:longest], labels[:longest]
        if all(label == IGNORED for label in labels[1:]):
            raise BadRow(f"row {number} has nothing to learn within {longest or 'any number of'} tokens")
        made.append({"input_ids": ids, "labels": labels})
    if not made:
        raise BadRow("the dataset has no rows")
    return Dataset.from_list(made)


def _example(
    rows: Rows, row: dict[str, Any], number: int, tokenizer: PreTrainedTokenizerBase, assistant_only: bool
) -> tuple[list[int], list[int]]:
    parts = rows.parts
    if "dialog" in parts:
        ids, learnt = dialog(row[parts["dialog"]], number, tokenizer)
    elif "prompt" in parts:
        before = _ids(tokenizer, _opening(tokenizer) + prompt_text(row[parts["prompt"]], number, tokenizer))
        after = [*_ids(tokenizer, str(row[parts["completion"]])), _end(tokenizer)]
        ids, learnt = before + after, [False] * len(before) + [True] * len(after)
    else:
        ids = [*_ids(tokenizer, _opening(tokenizer) + str(row[parts["text"]])), _end(tokenizer)]
        learnt = [True] * len(ids)
    everything = not assistant_only
    return ids, [token if everything or part else IGNORED for token, part in zip(ids, learnt, strict=True)]


def dialog(
    given: Sequence[dict[str, Any]], number: int, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[int], list[bool]]:
    """Return the tokens of a dialog and which of them the assistant said, its end of turn included.

    Raises:
        BadRow: the chat template does not write a dialog as the continuation of its beginning, or refuses it.
    """
    told = messages(given, number)
    text = render(told, number, tokenizer)
    spoken: list[tuple[int, int]] = []
    for index, message in enumerate(told):
        if message["role"] != "assistant":
            continue
        before = render(told[:index], number, tokenizer, answer=True)
        after = render(told[: index + 1], number, tokenizer)
        if not text.startswith(before) or not text.startswith(after):
            raise BadRow(f"row {number}: the chat template changes earlier messages, so answers can't be told apart")
        spoken.append((len(before), len(after)))
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    learnt = [any(start >= begin and start < end for begin, end in spoken) for start, _ in encoded["offset_mapping"]]
    return list(encoded["input_ids"]), learnt


def pairs(rows: Rows, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Return ``prompt``, ``chosen`` and ``rejected`` as texts, for learning from preferences.

    Raises:
        BadRow: a row's two answers don't follow the same prompt.
    """
    made = []
    for number, row in read(rows):
        chosen, rejected = row[rows.parts["chosen"]], row[rows.parts["rejected"]]
        if isinstance(chosen, str):
            before = _opening(tokenizer) + prompt_text(row[rows.parts["prompt"]], number, tokenizer)
        else:
            before, chosen, rejected = _shared(messages(chosen, number), messages(rejected, number), number, tokenizer)
        made.append({"prompt": before, "chosen": chosen, "rejected": rejected})
    if not made:
        raise BadRow("the dataset has no rows")
    return Dataset.from_list(made)


def _shared(
    chosen: list[dict[str, Any]], rejected: list[dict[str, Any]], number: int, tokenizer: PreTrainedTokenizerBase
) -> tuple[str, str, str]:
    """Return the prompt that two dialogs share, and how each goes on."""
    if chosen[:-1] != rejected[:-1] or chosen[-1]["role"] != "assistant" or rejected[-1]["role"] != "assistant":
        raise BadRow(f"row {number}: chosen and rejected have to differ in their last message alone, an answer")
    before = render(chosen[:-1], number, tokenizer, answer=True)
    whole = [render(dialog, number, tokenizer) for dialog in (chosen, rejected)]
    if not all(text.startswith(before) for text in whole):
        raise BadRow(f"row {number}: the chat template changes earlier messages, so answers can't be told apart")
    end = tokenizer.eos_token or ""
    # the trainer adds the end of the answer itself
    after = [text[len(before) :].removesuffix(end) if end else text[len(before) :] for text in whole]
    return before, after[0], after[1]


def prompts(rows: Rows, tokenizer: PreTrainedTokenizerBase, room: int | None) -> Dataset:
    """Return ``prompt`` as text, ``dialog`` as JSON and ``reference``, for learning from rewards.

    ``room`` is the tokens that a prompt may have at most.

    Raises:
        BadRow: a prompt is longer or does not fit the chat template.
    """
    made = []
    for number, row in read(rows):
        asked = row[rows.parts["prompt"]]
        told = messages(asked, number) if isinstance(asked, list) else [{"role": "user", "content": asked}]
        reference = str(row[rows.parts["reference"]]) if "reference" in rows.parts else ""
        text = _opening(tokenizer) + prompt_text(asked, number, tokenizer)
        length = len(_ids(tokenizer, text))
        if room is not None and length > room:
            raise BadRow(f"row {number} has {length} tokens; with room for the answer {room} are left for the prompt")
        made.append({"prompt": text, "dialog": json.dumps(told), "reference": reference})
    if not made:
        raise BadRow("the dataset has no rows")
    return Dataset.from_list(made)


def prompt_text(given: Any, number: int, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a prompt as text that an answer follows: a text as it is, a dialog by the chat template."""
    if isinstance(given, str):
        return given
    text = render(messages(given, number), number, tokenizer, answer=True)
    return text.removeprefix(_opening(tokenizer))


def messages(given: Sequence[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """Return the messages of a row as chat templates take them.

    Raises:
        BadRow: one holds something other than text.
    """
    told = []
    for message in given:
        made: dict[str, Any] = {"role": message["role"], "content": _text(message.get("content", ""), number)}
        if calls := message.get("tool_calls"):
            made["tool_calls"] = [
                {"type": "function", "function": {"name": call["tool_name"], "arguments": call["arguments"]}}
                if "tool_name" in call
                else call
                for call in calls
            ]
        told.append(made)
    return told


def _text(content: Any, number: int) -> str:
    parts = content if isinstance(content, list) else [content or ""]
    if not all(isinstance(part, str) for part in parts):
        raise BadRow(f"row {number}: messages with attachments can't be learnt from, text alone can")
    return "".join(parts)


def render(
    told: Sequence[dict[str, Any]], number: int, tokenizer: PreTrainedTokenizerBase, *, answer: bool = False
) -> str:
    """Return messages as the chat template writes them, with the opening of an answer if asked.

    Raises:
        BadRow: the template refuses them.
    """
    try:
        written = tokenizer.apply_chat_template(list(told), tokenize=False, add_generation_prompt=answer)
    except (ValueError, TypeError, KeyError) as error:
        raise BadRow(f"row {number}: the model's chat template can't write this dialog") from error
    return str(written)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _opening(tokenizer: PreTrainedTokenizerBase) -> str:
    return tokenizer.bos_token or ""


def _end(tokenizer: PreTrainedTokenizerBase) -> int:
    return int(tokenizer.eos_token_id)
