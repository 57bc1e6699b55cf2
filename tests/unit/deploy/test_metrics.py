"""What alerts, dashboards and scalers ask Prometheus for is something that a process of the mesh shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/k8s/chart"
METRIC = re.compile(r"\b((?:rpc|http|inference|process|agents|memory)_[a-z_]+)\b(?!\s*[=!~])")
GROUPED = re.compile(r"\b(?:by|without) \([^)]*\)|\{[^}]*\}")
SCRAPED = {"up"}


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
    """Return the names that the code gives to metrics, and those of every process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    own = {sample.name for family in registry.collect() for sample in family.samples}
    sources = [path.read_text() for folder in ("mesh", "gateway", "services") for path in (ROOT / folder).rglob("*.py")]
    return own | {name for text in sources for name in re.findall(r'"([a-z]+(?:_[a-z]+)+)"', text)}


def test_every_metric_that_is_asked_for_is_shown() -> None:
    found = asked()
    assert {"rpc_server_call_duration_seconds", "http_server_request_duration_seconds", "inference_requests"} <= found
    assert sorted(found - shown() - SCRAPED) == []
