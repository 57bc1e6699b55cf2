"""Guidance as vLLM takes it.

JSON is restricted to one spelling, that of ``json.dumps`` on one line: where any white space is allowed between two
members, a small model writes nothing else until its tokens run out.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

from mesh.errors import InvalidField
from services.inference.engine import Guidance, GuidanceKind

CACHED_SCHEMAS: Final = 256
# the time and the place in the source at the head of xgrammar's messages
_PLACE: Final = re.compile(r"^\[[\d:]+\] \S+:\d+: ")
_OBJECT: Final = '{"type": "object"}'


def structured_outputs(guidance: Guidance | None) -> Any:
    """Return vLLM's StructuredOutputsParams, None for free text.

    Raises:
        InvalidField: the JSON Schema is not one that can be followed.
    """
    if guidance is None:
        return None
    from vllm.sampling_params import StructuredOutputsParams  # owned by this engine and heavy

    match guidance.kind:
        case GuidanceKind.JSON_SCHEMA:
            grammar = _grammar(guidance.text)
            if grammar is None:
                return StructuredOutputsParams(json=guidance.text)
            return StructuredOutputsParams(grammar=grammar)
        case GuidanceKind.JSON_OBJECT:
            return StructuredOutputsParams(grammar=_grammar(_OBJECT))
        case GuidanceKind.REGEX:
            return StructuredOutputsParams(regex=guidance.text)
        case GuidanceKind.GRAMMAR:
            return StructuredOutputsParams(grammar=guidance.text)


@lru_cache(maxsize=CACHED_SCHEMAS)
def _grammar(schema: str) -> str | None:
    """Return a schema as a grammar, None where xgrammar lacks a feature of it and vLLM has to choose another way."""
    import xgrammar
    from vllm.v1.structured_output.backend_xgrammar import has_xgrammar_unsupported_json_features

    if has_xgrammar_unsupported_json_features(json.loads(schema)):
        return None
    try:
        return str(xgrammar.Grammar.from_json_schema(schema, any_whitespace=False))
    except (RuntimeError, ValueError) as error:
        reason = _PLACE.sub("", str(error).splitlines()[-1])
        raise InvalidField("guidance", f"must be a JSON Schema that can be followed: {reason}") from error
