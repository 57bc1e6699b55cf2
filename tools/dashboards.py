"""Writes Grafana's dashboards of the chart: ``python -m tools.dashboards``.

A dashboard is a list of panels here; where they stand and how they look is the same for all of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy/k8s/chart/files/dashboards"
WIDTH, HEIGHT, COLUMNS = 12, 8, 2
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph of one query; ``legend`` names its lines, ``unit`` is Grafana's."""

    title: str
    query: str
    legend: str
    unit: str = "short"


def quantile(share: float, metric: str, by: str) -> str:
    """Return the query of a quantile of a histogram over five minutes."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[5m])))"


CALLS: Final = "rpc_server_call_duration_seconds"
MESH: Final = (
    Panel("Requests at the gateway", "sum(rate(http_server_request_duration_seconds_count[5m]))", "requests", "reqps"),
    Panel(
        "Answers by status",
        "sum by (http_response_status_code) (rate(http_server_request_duration_seconds_count[5m]))",
        "{{http_response_status_code}}",
        "reqps",
    ),
    Panel("Calls by service", f"sum by (service) (rate({CALLS}_count[5m]))", "{{service}}", "reqps"),
    Panel(
        "Share of calls that fail by a service's own fault",
        f'sum by (service) (rate({CALLS}_count{{error_type!=""}}[5m])) / sum by (service) (rate({CALLS}_count[5m]))',
        "{{service}}",
        "percentunit",
    ),
    Panel("Median time of a call", quantile(0.5, CALLS, "service"), "{{service}}", "s"),
    Panel("99th percentile", quantile(0.99, CALLS, "service"), "{{service}}", "s"),
    Panel("Calls under way", "sum by (service) (rpc_server_active_calls)", "{{service}}"),
    Panel("Memory", "sum by (service) (process_resident_memory_bytes)", "{{service}}", "bytes"),
)
INFERENCE: Final = (
    Panel("Requests inside, by replica", "inference_requests", "{{pod}}"),
    Panel("Requests in the engines", "inference_engine_requests", "{{pod}}"),
    Panel("Key-value cache in use", "inference_kv_cache_use", "{{pod}}", "percentunit"),
    Panel(
        "Time of a completion, 95th percentile",
        "histogram_quantile(0.95, sum by (le, rpc_method) (rate(rpc_server_call_duration_seconds_bucket"
        '{rpc_method=~".*Completion.*"}[5m])))',
        "{{rpc_method}}",
        "s",
    ),
    Panel(
        "Refused because of load",
        f'sum by (service) (rate({CALLS}_count{{rpc_response_status_code="RESOURCE_EXHAUSTED"}}[5m]))',
        "{{service}}",
        "reqps",
    ),
    Panel("Processor", "sum by (pod) (rate(process_cpu_seconds_total[5m]))", "{{pod}}"),
)
DASHBOARDS: Final = {"mesh": ("Altiplano: mesh", MESH), "inference": ("Altiplano: inference", INFERENCE)}


def dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """Return a dashboard in Grafana's JSON model, two panels to a row."""
    return {
        "uid": f"altiplano-{name}",
        "title": title,
        "tags": ["altiplano"],
        "schemaVersion": 41,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}]},
        "panels": [drawn(index, panel) for index, panel in enumerate(panels)],
    }


def drawn(index: int, panel: Panel) -> dict[str, Any]:
    """Return a panel at its place."""
    row, column = divmod(index, COLUMNS)
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": panel.query, "legendFormat": panel.legend}],
    }


def texts() -> dict[str, str]:
    """Return the content of every file by its name."""
    return {
        f"{name}.json": json.dumps(dashboard(name, title, panels), indent=2) + "\n"
        for name, (title, panels) in DASHBOARDS.items()
    }


def main() -> None:
    """Write the files."""
    for name, text in texts().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
