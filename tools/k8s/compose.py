"""Holds the compose file against the specification of Compose, and against what the chart says of the same services."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from compose_spec import PyCompose

from tools.k8s.charts import ROOT, defaults

FILE: Final = ROOT / "deploy/compose.yaml"


def compose() -> Iterator[str]:
    """Yield what is wrong with the compose file."""
    try:
        found: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
        PyCompose.from_json(json.dumps(found))
    except (yaml.YAMLError, ValueError) as error:
        yield f"{FILE.name}: {error}"
        return
    yield from (f"{FILE.name}: {problem}" for problem in _problems(found, defaults()["services"]))


def _problems(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    services, volumes = found["services"], found.get("volumes", {})
    if services.keys() != wanted.keys():
        yield f"has {sorted(services)}, the chart has {sorted(wanted)}"
        return
    for name, service in services.items():
        yield from (f"{name} waits for {other}, which is not there" for other in _missing(service, services))
        for mount in service.get("volumes", []):
            if mount.partition(":")[0] not in volumes:
                yield f"{name} mounts {mount}, which is no volume"
        if service["build"]["args"]["SERVICE"] != name or not service["image"].startswith(f"altiplano-{name}:"):
            yield f"{name} is built as something else"
        if "healthcheck" not in service:
            yield f"{name} has no health check"
        yield from (f"{name}: {problem}" for problem in _settings(name, service["environment"], wanted))


def _missing(service: Mapping[str, Any], services: Mapping[str, Any]) -> list[str]:
    return [other for other in service.get("depends_on", []) if other not in services]


def _settings(name: str, environment: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings that lead elsewhere than the chart's."""
    expected = {f"ALTIPLANO_{name.upper()}_BIND": f"0.0.0.0:{wanted[name]['port']}"}
    expected |= {
        f"ALTIPLANO_{called.upper()}_ADDRESS": f"{called}:{wanted[called]['port']}"
        for called in wanted[name].get("calls", [])
    }
    if name == "gateway":
        upstreams = {
            f"{area}={process}:{service['port']}"
            for process, service in wanted.items()
            for area in service.get("areas", [])
        }
        given = {entry.strip() for entry in environment["ALTIPLANO_GATEWAY_UPSTREAMS"].split(",")}
        yield from (f"upstream {entry} is not the chart's, or missing" for entry in sorted(upstreams ^ given))
    for variable, value in expected.items():
        if environment.get(variable) != value:
            yield f"{variable} is {environment.get(variable)}, the chart has {value}"
