"""``check`` holds the chart against its rules, ``manifests`` writes the rendered default to deploy/k8s/manifests.

``sbom`` writes a CycloneDX bill of materials of every image to build/sbom, and ``audit`` looks the locked packages up
in the database of known vulnerabilities, which needs the internet.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import helm_python as helm
import yaml

from tools.k8s.audit import audit
from tools.k8s.charts import (
    CHART,
    MANIFESTS,
    ROOT,
    ROUTES,
    Values,
    defaults,
    manifests,
    overlaid,
    profiles,
    render,
    rendered,
)
from tools.k8s.checks import CHECKS
from tools.k8s.compose import compose

REFUSED: Final[dict[str, tuple[Values, str]]] = {
    "several replicas on SQLite": ({"services": {"agents": {"replicas": 2}}}, "can't share a SQLite file"),
    "several replicas on one embedded store": (
        {"services": {"memory": {"replicas": 2}}, "postgresql": {"enabled": True}},
        "can't share the embedded store",
    ),
    "a public route without authentication": (ROUTES | {"auth": {"enabled": False}}, "needs auth.enabled"),
    "a route to nowhere": ({"route": {"enabled": True}}, "name the gateway"),
    "two models of one id": ({"models": {"other": {"id": "altiplano-builtin"}}}, "is taken by"),
    "tokens without an issuer": ({"auth": {"jwt": {"jwks": "https://id.example/keys"}}}, "needs issuer and audience"),
    "an issuer without an audience": ({"auth": {"jwt": {"issuer": "https://id.example"}}}, "needs audience"),
    "an issuer that nobody can ask": (
        {"auth": {"jwt": {"issuer": "http://id.example", "audience": "mesh"}}},
        "takes https; set auth.jwt.jwks",
    ),
    "several fronts with a memory of models": (
        {"services": {"inference": {"replicas": 2, "storage": "1Gi"}}},
        "2 replicas remember no models",
    ),
    "several replicas without one volume": (
        {"services": {"eval": {"replicas": 2}}, "postgresql": {"enabled": True}},
        "need one volume",
    ),
    "going back under running pods": (
        {"postgresql": {"enabled": True}, "migrations": {"to": {"memory": ["memory=0001"]}}},
        "bring the tables up to date again",
    ),
    "authorities of a collector without TLS": (
        {"telemetry": {"otlpEndpoint": "http://collector:4317", "otlpCaSecret": "collector"}},
        "is for a telemetry.otlpEndpoint with https://",
    ),
    "a file for nobody": ({"files": {"agent": {"A_FILE": {"secret": "a", "key": "b"}}}}, "there is no such service"),
    "a misspelt value": ({"imge": {}}, "imge"),
    "a bad quantity": (
        {"services": {"gateway": {"resources": {"requests": {"cpu": "lots"}}}}},
        "resources",
    ),
}
"""Values that can't work, and what the refusal has to say."""

HELM_WARNING: Final = 2
"""Helm's number for a warning; 1 is for information, 3 for an error."""


def refusals() -> Iterator[str]:
    """Yield what should have been refused and was not."""
    for title, (values, words) in REFUSED.items():
        if "models" in values:
            values = {"models": {"other": overlaid(defaults()["models"]["builtin"], values["models"]["other"])}}
        try:
            render(values)
        except helm.HelmError as error:
            if words not in str(error):
                yield f"{title}: refused, but with {str(error)!r}"
        else:
            yield f"{title}: not refused"


def drift() -> Iterator[str]:
    """Yield the committed manifests that are not what the chart renders."""
    wanted = manifests()
    present = {path.name: path.read_text() for path in MANIFESTS.glob("*.yaml")}
    for name in sorted(wanted.keys() | present.keys()):
        if wanted.get(name) != present.get(name):
            yield f"deploy/k8s/manifests/{name} is not what the chart renders; run `make manifests`"


def linters() -> Iterator[str]:
    """Yield what Helm, checkov and hadolint find."""
    result = helm.lint(CHART)
    yield from (f"helm lint: {line}" for line in _messages(result))
    bin_folder = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        for profile, values in profiles():
            objects = rendered(profile, values).objects
            (Path(folder) / f"{profile}.yaml").write_text(yaml.safe_dump_all(objects, sort_keys=False))
        scan = ["checkov", "-d", folder, "--framework", "kubernetes", "--quiet", "--compact", "--skip-download"]
        settings = ["--config-file", str(ROOT / "deploy/k8s/checkov.yaml")]
        yield from _run([str(bin_folder / scan[0]), *scan[1:], *settings])
    for path in sorted((ROOT / "deploy").glob("**/Dockerfile")):
        yield from _run([str(bin_folder / "hadolint"), str(path)])


def _messages(result: object) -> list[str]:
    found = result.get("messages", []) if isinstance(result, dict) else []
    return [f"{entry['path']}: {entry['error']}" for entry in found if entry["severity"] >= HELM_WARNING]


def _run(command: list[str]) -> Iterator[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"{Path(command[0]).name}:\n{done.stdout}{done.stderr}"


def check() -> int:
    """Print every problem and return the exit code."""
    problems = []
    count = 0
    for profile, values in profiles():
        chart = rendered(profile, values)
        count += len(chart.objects)
        problems += [f"{profile}: {line}" for rule in CHECKS for line in rule(chart)]
    problems += [*refusals(), *drift(), *compose(), *linters()]
    for problem in problems:
        print(problem)
    print(f"k8s: {count} objects in {len(list(profiles()))} profiles, {len(problems)} problems")
    return 1 if problems else 0


def write_manifests() -> int:
    """Write the rendered default."""
    MANIFESTS.mkdir(exist_ok=True)
    for path in MANIFESTS.glob("*.yaml"):
        path.unlink()
    for name, text in manifests().items():
        (MANIFESTS / name).write_text(text)
    return 0


def locks() -> list[Path]:
    """Return the lock of every image."""
    images = ("gateway", "inference", "inference-cuda", "agents", "memory", "training", "training-cuda", "eval")
    return [ROOT / f"requirements/{image}.lock" for image in images]


def sbom() -> int:
    """Write a bill of materials for every image."""
    folder = ROOT / "build/sbom"
    folder.mkdir(parents=True, exist_ok=True)
    tool = str(Path(sys.executable).parent / "cyclonedx-py")
    problems = [
        line
        for lock in locks()
        for line in _run([tool, "requirements", str(lock), "-o", str(folder / f"{lock.stem}.json")])
    ]
    print(*problems, f"sbom: {len(locks())} files in {folder.relative_to(ROOT)}", sep="\n")
    return 1 if problems else 0


COMMANDS: Final = {"check": check, "manifests": write_manifests, "sbom": sbom}


def main(arguments: list[str]) -> int:
    """Run one command; what follows ``audit`` is for pip-audit."""
    if arguments[:1] == ["audit"]:
        return audit(locks(), arguments[1:])
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m tools.k8s {'|'.join(COMMANDS)}|audit", file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
