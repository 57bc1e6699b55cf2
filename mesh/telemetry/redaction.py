"""Takes secrets out of text before it reaches a log."""

from __future__ import annotations

import re
from typing import Final

from mesh.config import REDACTED
from mesh.metadata import SECRET_KEYS

_NAMES: Final = r"[\w.-]*(?:secret|password|passwd|token|api[_-]?key|authorization|credentials?)(?:[_-]?(?:key|id))?"

_RULES: Final = (
    # a JWT
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), REDACTED),
    # keys by the prefixes that providers give them
    (re.compile(r"\b(?:alp_|sk-|hf_|ghp_|xox[abp]-)[\w-]{8,}"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {REDACTED}"),
    # user and password in a URL
    (re.compile(r"(\b[\w+.-]+://)[^\s/@:]*:[^\s/@]*@"), rf"\1{REDACTED}@"),
    # name=value, name: value, "name": "value"
    (re.compile(rf"(?i)(\b{_NAMES}[\"']?\s*[=:]\s*)\"[^\"]*\""), rf'\1"{REDACTED}"'),
    (re.compile(rf"(?i)(\b{_NAMES}[\"']?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?[^\s\"',;&}}]+"), rf"\1{REDACTED}"),
)
_SECRET_NAME: Final = re.compile(_NAMES, re.IGNORECASE)


def redact(text: str) -> str:
    """Return the text with everything replaced that looks like a token, key, password or other secret."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def is_secret(name: str) -> bool:
    """Return whether a field or a metadata key of that name holds a secret as a whole."""
    return name.lower() in SECRET_KEYS or _SECRET_NAME.fullmatch(name) is not None
