"""The special tokens of Llama 3: their texts, their ids in Meta's vocabulary, and how to find them in a text.

Knows nothing about messages or tokenizers. Ids differ in vocabularies of other sizes, so that only the texts are relied
upon elsewhere; the ids are the published ones and serve tests and tokenizers that are made anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

BEGIN_OF_TEXT: Final = "<|begin_of_text|>"
END_OF_TEXT: Final = "<|end_of_text|>"
RIGHT_PAD: Final = "<|finetune_right_pad_id|>"
STEP: Final = "<|step_id|>"
START_HEADER: Final = "<|start_header_id|>"
END_HEADER: Final = "<|end_header_id|>"
EOM: Final = "<|eom_id|>"
EOT: Final = "<|eot_id|>"
PYTHON_TAG: Final = "<|python_tag|>"
IMAGE: Final = "<|image|>"

IDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        BEGIN_OF_TEXT: 128000,
        END_OF_TEXT: 128001,
        RIGHT_PAD: 128004,
        STEP: 128005,
        START_HEADER: 128006,
        END_HEADER: 128007,
        EOM: 128008,
        EOT: 128009,
        PYTHON_TAG: 128010,
        IMAGE: 128011,
    }
)
"""The published id of each special token that the format uses."""

STOP: Final = (EOT, EOM, END_OF_TEXT)
"""The tokens that end a generation."""

_RESERVED: Final = tuple(f"<|reserved_special_token_{number}|>" for number in range(256))
_ALL: Final = frozenset((*IDS, *_RESERVED))
_PREFIXES: Final = frozenset(token[:size] for token in _ALL for size in range(1, len(token)))

SPECIAL: Final = re.compile("|".join(map(re.escape, _ALL)))
"""Matches any special token, the reserved ones included."""


def partial_at_end(text: str) -> int:
    """Return where a special token may have begun at the end of a text; the text's length if none has."""
    at = text.rfind("<")
    return at if at >= 0 and text[at:] in _PREFIXES else len(text)
