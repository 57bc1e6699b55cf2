"""Looks the locked packages of every image up in a database of known vulnerabilities, with pip-audit.

What is looked up is what the locks name, each version once. The label of a local build (``2.13.0+cpu``) is left out,
since databases know the version that it was built from. A version that has long been known as vulnerable is looked up
as well: a database that does not know that one proves nothing by its silence.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

CONTROL: Final = ("pyyaml", "5.3")
ELSEWHERE: Final = "`make audit ARGS='--vulnerability-service osv --osv-url URL'` asks a mirror of OSV instead"
Package = tuple[str, str]


def packages(locks: Iterable[Path]) -> dict[Package, list[str]]:
    """Return every name and version of the locks, with the images that hold it."""
    found: dict[Package, list[str]] = {}
    for lock in locks:
        for line in lock.read_text().splitlines():
            name, pinned, version = line.partition(";")[0].strip().partition("==")
            if pinned:
                package = re.sub(r"[-_.]+", "-", name.partition("[")[0].lower()), version.partition("+")[0].strip()
                found.setdefault(package, []).append(lock.stem)
    return found


def audit(locks: Sequence[Path], options: Sequence[str]) -> int:
    """Print what is known against the packages; return 0 if all were looked up and nothing is.

    Args:
        locks: one for each image.
        options: for pip-audit, to name another database.
    """
    wanted = packages(locks)
    with tempfile.TemporaryDirectory() as folder:
        answer = _told(_files(Path(folder), [*wanted, CONTROL]), options)
    if isinstance(answer, str):
        print(f"audit: nothing was looked up, the database can't be asked ({answer}); {ELSEWHERE}")
        return 1
    problems = list(_problems(wanted, answer))
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"audit: {len(wanted)} versions in {len(locks)} images, {len(problems)} problems")
    return 1 if problems else 0


def _files(folder: Path, wanted: Iterable[Package]) -> Iterator[Path]:
    """Yield files of requirements in which no name comes twice."""
    layers: list[dict[str, str]] = []
    for name, version in wanted:
        layer = next((each for each in layers if name not in each), None)
        if layer is None:
            layers.append(layer := {})
        layer[name] = version
    for number, layer in enumerate(layers):
        file = folder / f"{number}.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in layer.items()))
        yield file


def _told(files: Iterable[Path], options: Sequence[str]) -> list[Mapping[str, Any]] | str:
    """Return what is known of each package, or why nothing is."""
    tool = str(Path(sys.executable).parent / "pip-audit")
    command = [tool, "--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off", *options]
    found: list[Mapping[str, Any]] = []
    for file in files:
        done = subprocess.run([*command, "-r", str(file)], capture_output=True, text=True, check=False)
        try:
            found += json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            lines = done.stderr.strip().splitlines()
            return lines[-1][:300] if lines else f"exit code {done.returncode}"
    if not any("version" in each for each in found):
        return "it knows none of the packages"
    if not any((each["name"], each.get("version")) == CONTROL and each["vulns"] for each in found):
        return f"it knows nothing against {'=='.join(CONTROL)}, which everybody does"
    return found


def _problems(wanted: Mapping[Package, Sequence[str]], found: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    known = {(each["name"], each.get("version", "")): each["vulns"] for each in found if "version" in each}
    for (name, version), images in sorted(wanted.items()):
        where = f"{name} {version} in {', '.join(images)}"
        if (name, version) not in known:
            yield f"{where}: the database does not know it"
        for vulnerability in known.get((name, version), []):
            remedy = ", ".join(vulnerability["fix_versions"]) or "no version"
            yield f"{where}: {vulnerability['id']}, remedied by {remedy}"
