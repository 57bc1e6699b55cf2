"""JSON values as text."""

from __future__ import annotations

import json
from typing import Any


def text_of(value: Any) -> str:
    """Return a string as it is and any other JSON value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
