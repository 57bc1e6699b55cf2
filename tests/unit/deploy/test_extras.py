"""What the gateway is installed with is what it imports, no more and no less; each image has what its service does."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OURS = {"buf", "gateway", "llamastack", "mesh", "services"}
IMAGES = ("gateway", "inference", "agents", "memory", "training", "eval")
LEFT_OUT = {"gcsfs", "wandb"}
"""What operators install who keep files at Google or records at W&B; without it that is refused in words."""


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


def locked(image: str) -> dict[str, str]:
    """Return the versions of the distributions of an image."""
    lines = (ROOT / f"requirements/{image}.lock").read_text().splitlines()
    return {distribution(name): version for name, _, version in (line.partition("==") for line in lines) if version}


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_has_what_its_service_imports_early_or_late(image: str) -> None:
    known, found = packages_distributions(), locked(image)
    folders = ("mesh", "gateway") if image == "gateway" else ("mesh", f"services/{image}")
    wanted = set().union(*map(modules, folders)) - (LEFT_OUT if image in {"inference", "training"} else set())
    choices = {module: {distribution(name) for name in known.get(module, ())} for module in wanted}
    assert {module for module, names in choices.items() if not names & found.keys()} == set()


def test_images_for_processors_have_no_build_for_gpus_and_those_for_gpus_no_other() -> None:
    for image in ("inference", "training"):
        assert locked(image)["torch"].endswith("+cpu")
        assert not any(name.startswith("nvidia-cudnn-cu") for name in locked(image))
        with_gpu = locked(f"{image}-cuda")
        assert "+" not in with_gpu["torch"]
        assert any(name.startswith("nvidia-cudnn-cu") for name in with_gpu)


def test_the_gateways_extra_is_what_the_gateway_imports_besides_what_all_share() -> None:
    known = packages_distributions()
    choices = {module: {distribution(name) for name in known[module]} for module in modules("gateway")}
    own, shared = declared("gateway"), declared(None)
    # a namespace as google belongs to several distributions
    assert {module for module, names in choices.items() if not names & (own | shared)} == set()
    assert own - set().union(*choices.values()) == set()
