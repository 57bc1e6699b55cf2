"""What the gateway is installed with is what it imports, no more and no less."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OURS = {"buf", "gateway", "llamastack", "mesh"}


def distribution(requirement: str) -> str:
    """Return the normal name of what a requirement, or the name of a distribution, asks for."""
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def declared(extra: str | None) -> set[str]:
    """Return the distributions of an extra, or those that everything needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed: Iterable[str] = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return {distribution(requirement) for requirement in listed}


def modules(folder: str) -> set[str]:
    """Return the first parts of the names of all modules of others that a package imports."""
    found = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - OURS


def test_the_gateways_extra_is_what_the_gateway_imports_besides_what_all_share() -> None:
    known = packages_distributions()
    choices = {module: {distribution(name) for name in known[module]} for module in modules("gateway")}
    own, shared = declared("gateway"), declared(None)
    # a namespace as google belongs to several distributions
    assert {module for module, names in choices.items() if not names & (own | shared)} == set()
    assert own - set().union(*choices.values()) == set()
