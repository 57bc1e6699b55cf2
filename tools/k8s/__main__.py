"""``check`` holds the chart against its rules, ``manifests`` writes the rendered default to deploy/k8s/manifests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import helm_python as helm

from tools.k8s.charts import CHART, MANIFESTS, ROOT, ROUTES, Values, manifests, profiles, render, rendered
from tools.k8s.checks import CHECKS

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
    "a misspelt value": ({"imge": {}}, "imge"),
    "a bad quantity": (
        {"services": {"gateway": {"resources": {"requests": {"cpu": "lots"}}}}},
        "resources",
    ),
}
"""Values that can't work, and what the refusal has to say."""


def refusals() -> Iterator[str]:
    """Yield what should have been refused and was not."""
    from tools.k8s.charts import defaults, overlaid

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
        for name, text in manifests().items():
            (Path(folder) / name).write_text(text)
        yield from _run(
            [str(bin_folder / "checkov"), "-d", folder, "--framework", "kubernetes", "--quiet", "--compact", "--skip-download"]
            + ["--config-file", str(ROOT / "deploy/k8s/checkov.yaml")]
        )
    for path in sorted((ROOT / "deploy").glob("**/Dockerfile")):
        yield from _run([str(bin_folder / "hadolint"), str(path)])


def _messages(result: object) -> list[str]:
    found = result.get("messages", []) if isinstance(result, dict) else []
    return [str(entry) for entry in found if str(entry.get("severity", "")).lower() in {"error", "warning"}]


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
    problems += [*refusals(), *drift(), *linters()]
    for problem in problems:
        print(problem)
    print(f"k8s: {count} objects in {len(list(profiles()))} profiles, {len(problems)} problems")
    return 1 if problems else 0


def main(arguments: list[str]) -> int:
    """Run one of the two commands."""
    if arguments == ["check"]:
        return check()
    if arguments == ["manifests"]:
        MANIFESTS.mkdir(exist_ok=True)
        for path in MANIFESTS.glob("*.yaml"):
            path.unlink()
        for name, text in manifests().items():
            (MANIFESTS / name).write_text(text)
        return 0
    print("usage: python -m tools.k8s check|manifests", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
