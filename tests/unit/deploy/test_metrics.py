"""What alerts, dashboards and scalers ask Prometheus for is something that a process of the mesh shows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from gateway.observe import LABELS as HTTP
from mesh.telemetry.metrics import LABELS as RPC

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/k8s/chart"
METRIC = re.compile(r"\b((?:rpc|http|inference|process|agents|memory)_[a-z_]+)\b(?!\s*[=!~])")
GROUPED = re.compile(r"\b(?:by|without) \([^)]*\)|\{[^}]*\}")
SCRAPED = {"up"}
MAKERS = {"Durations", "gauge"}
"""Whose first argument is the name of a metric."""
LABEL = re.compile(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"|\bby \(([^)]*)\)")


def queries() -> Iterator[str]:
    """Yield every query of the chart."""
    groups: list[Any] = yaml.safe_load((CHART / "files/rules.yaml").read_text())
    yield from (rule["expr"] for group in groups for rule in group["rules"])
    for path in sorted((CHART / "files/dashboards").glob("*.json")):
        panels = json.loads(path.read_text())["panels"]
        yield from (target["expr"] for panel in panels for target in panel["targets"])
    for name in ("scaledobject", "horizontalpodautoscaler"):
        text = (CHART / f"templates/{name}.yaml").read_text()
        yield from (line for line in text.splitlines() if "query:" in line or "metric: {name:" in line)


def asked() -> set[str]:
    """Return the names of the metrics in the queries, those of a histogram by the histogram's."""
    names = {name for query in queries() for name in METRIC.findall(GROUPED.sub("", query))}
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def shown() -> set[str]:
    """Return the names of the metrics that the code makes, and those of every process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    own = {sample.name for family in registry.collect() for sample in family.samples}
    trees = [ast.parse(path.read_text()) for folder in ("mesh", "gateway", "services") for path in python(folder)]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    made = [call.args[0] for call in calls if name_of(call.func) in MAKERS]
    return own | {first.value for first in made if isinstance(first, ast.Constant) and isinstance(first.value, str)}


def python(folder: str) -> Iterator[Path]:
    """Yield the modules of a folder."""
    return (ROOT / folder).rglob("*.py")


def name_of(called: ast.expr) -> str:
    """Return the last part of what is called."""
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def test_every_metric_that_is_asked_for_is_shown() -> None:
    found = asked()
    assert {"rpc_server_call_duration_seconds", "http_server_request_duration_seconds", "inference_requests"} <= found
    assert sorted(found - shown() - SCRAPED) == []


def test_every_label_that_is_asked_for_is_one_of_the_code_or_of_the_cluster() -> None:
    found = {
        name.strip()
        for query in queries()
        for single, several in LABEL.findall(query)
        for name in (single or several).split(",")
    }
    assert {"service", "rpc_method", "error_type"} <= found
    cluster = {"le", "namespace", "pod", "service"}
    assert sorted(found - {*RPC, *HTTP} - cluster) == []
