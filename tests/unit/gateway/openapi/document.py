"""The document of all contracts, and validators for the schemas in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from gateway.app import load_contract
from gateway.openapi import Settings, render

CONTRACT = load_contract()


@cache
def document() -> dict[str, Any]:
    """Return the document of everything, with the usual settings."""
    return render(CONTRACT, Settings())


def operations(rendered: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "VERB /path" and operation."""
    for path, item in rendered["paths"].items():
        for verb, operation in item.items():
            yield f"{verb.upper()} {path}", operation


def validator(schema: dict[str, Any], rendered: dict[str, Any]) -> Draft202012Validator:
    """Return a validator for a schema of a document."""
    return Draft202012Validator(schema | {"components": rendered["components"]})
