"""What an old client sent and was answered, byte by byte, as files; and whether a new answer still fits the old one.

A request is kept as it went over the wire. Ids that a service chose are of the recording's day: a replay puts those of
its own day in their place, which are as long, so that the bytes around them stay what they are.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_name("recorded")
ANY: Final = "~"
"""The one member of what stands for a value that no two recordings share: ``{"~": "str"}``."""
PASSING: Final = frozenset({"status", "started_at", "completed_at", "finished_at", "metrics", "counts", "progress"})
"""Members about work that goes on by itself, which says something else each time."""


@dataclass(frozen=True)
class Exchange:
    """One call. ``target`` is an RPC's path or ``VERB /path``; ``how`` is its code and reason, or its status.

    ``requests`` are base64 of the messages, or of the body. ``keep`` gives the members of the answer that later
    requests name, with what they were on the day of the recording.
    """

    service: str
    target: str
    requests: list[str]
    how: str
    answer: Any = None
    keep: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(target: tuple[str, str], requests: list[bytes], how: str, answer: Any) -> Exchange:
        """Return a call of a service and a target."""
        return Exchange(*target, [b64encode(request).decode() for request in requests], how, answer)

    def sent(self, renamed: Mapping[str, str]) -> list[bytes]:
        """Return the requests with the ids of today."""
        found = [b64decode(request) for request in self.requests]
        return [_renamed(request, renamed) for request in found]

    def path(self, renamed: Mapping[str, str]) -> str:
        """Return the target with the ids of today."""
        return _renamed(self.target.encode(), renamed).decode()


def _renamed(data: bytes, renamed: Mapping[str, str]) -> bytes:
    for old, new in renamed.items():
        assert len(old) == len(new), "ids have another length than they had: the bytes around them would not fit"
        data = data.replace(old.encode(), new.encode())
    return data


def save(version: str, kind: str, exchanges: list[Exchange]) -> None:
    """Write the exchanges of a version."""
    folder = RECORDED / version
    folder.mkdir(exist_ok=True, parents=True)
    lines = [json.dumps(asdict(each), sort_keys=True, ensure_ascii=False) for each in exchanges]
    (folder / f"{kind}.jsonl").write_text("\n".join(lines) + "\n")


def versions() -> list[str]:
    """Return the versions that were recorded."""
    return sorted(path.name for path in RECORDED.iterdir() if path.is_dir())


def load(version: str, kind: str, service: str) -> list[Exchange]:
    """Return the exchanges of a version with a service, in their order."""
    lines = (RECORDED / version / f"{kind}.jsonl").read_text().splitlines()
    return [found for found in (Exchange(**json.loads(line)) for line in lines) if found.service == service]


def merged(one: Any, other: Any) -> Any:
    """Return what two answers to one request share, with types where they differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        shared = sorted((one.keys() & other.keys()) - PASSING)
        return {name: _typed(one[name]) if _tells_time(name) else merged(one[name], other[name]) for name in shared}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [merged(*pair) for pair in zip(one, other, strict=True)]
    return one if one == other else _typed(one)


def _typed(value: Any) -> dict[str, str]:
    return {ANY: type(value).__name__}


def _tells_time(name: str) -> bool:
    return name == "created" or name.endswith("_at")


def misfits(old: Any, new: Any, place: str = "answer") -> Iterator[str]:
    """Yield where a new answer is not what the old client knows; what is new in it is no misfit."""
    if isinstance(old, dict) and old.keys() == {ANY}:
        if type(new).__name__ != old[ANY]:
            yield f"{place}: {new!r} is no {old[ANY]}"
    elif isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            if name in new:
                yield from misfits(value, new[name], f"{place}.{name}")
            else:
                yield f"{place}.{name} is gone"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from misfits(*pair, f"{place}[{number}]")
    elif old != new:
        yield f"{place}: {new!r} instead of {old!r}"
