"""Results cut to what fits into a model's context, with a note where something is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.agents.tools.tool import Answer

_HEAD: Final = 3
"""Of four characters that are kept, so many are from the beginning, the other from the end."""


def clipped(answer: Answer, most: int) -> Answer:
    """Return an answer with at most about ``most`` characters in each of its texts; files stay whole."""
    cut = any(isinstance(part, str) and len(part) > most for part in answer.parts)
    if not cut:
        return answer
    parts = tuple(clip(part, most) if isinstance(part, str) else part for part in answer.parts)
    return replace(answer, parts=parts, clipped=True)


def clip(text: str, most: int) -> str:
    """Return a text, or its beginning and end with a note in between."""
    if len(text) <= most:
        return text
    head = most * _HEAD // 4
    tail = most - head
    left_out = len(text) - most
    return f"{text[:head]}\n[… {left_out} characters left out …]\n{text[len(text) - tail :]}"
