"""The chart under each of its profiles, rendered without a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import helm_python as helm
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "deploy/k8s/chart"
MANIFESTS: Final = ROOT / "deploy/k8s/manifests"
RELEASE: Final = "altiplano"
NAMESPACE: Final = "altiplano"

TOKENS: Final = {"auth": {"jwt": {"issuer": "https://id.example/realm", "audience": "mesh"}}}
ROUTES: Final = {"route": {"enabled": True, "grpc": True, "parentRefs": [{"name": "public"}]}, **TOKENS}
ADAPTER: Final = {"models": {"builtin": {"autoscaling": {"by": "adapter"}}}}
BACK: Final = {
    "postgresql": {"enabled": True},
    "services": {"memory": {"replicas": 0}, "training": {"replicas": 2, "shared": True}},
    "migrations": {"to": {"memory": ["memory=0001"]}},
    "networkPolicies": {"privateNetworks": ["10.20.0.0/16"]},
}
FILES: Final = {
    "telemetry": {"otlpEndpoint": "https://collector.monitoring:4317", "otlpCaSecret": "collector", "record": False},
    "environment": {"ALTIPLANO_QUOTA_CONCURRENCY": "16", "HTTPS_PROXY": "http://proxy:3128"},
    "settings": {"memory": {"MAX_WRITES": "32"}},
    "services": {"inference": {"storage": "1Gi"}},
    "files": {"agents": {"ALTIPLANO_AGENTS_BRAVE_SEARCH_API_KEY_FILE": {"secret": "search", "key": "brave"}}},
    "models": {"builtin": {"cache": "10Gi", "files": {"HF_TOKEN_PATH": {"secret": "hub", "key": "token"}}}},
}
"""Overlays for what no profile switches on."""

Values = dict[str, Any]
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects of the chart under a profile."""

    profile: str
    values: Values
    objects: tuple[Object, ...]

    def kind(self, *kinds: str) -> list[Object]:
        """Return the objects of some kinds."""
        return [entry for entry in self.objects if entry["kind"] in kinds]


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Return values with others laid over them, as Helm does: maps are merged, anything else replaced."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = overlaid(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def defaults() -> Values:
    """Return the chart's own values."""
    return dict(yaml.safe_load((CHART / "values.yaml").read_text()))


def profiles() -> Iterator[tuple[str, Values]]:
    """Yield every set of values that is checked, by name."""
    yield "default", {}
    for path in sorted((CHART / "values").glob("*.yaml")):
        yield path.stem, yaml.safe_load(path.read_text())
    yield "tokens", TOKENS
    yield "routes", ROUTES
    yield "adapter", ADAPTER
    yield "back", BACK
    yield "files", FILES
    yield "no-auth", {"auth": {"enabled": False}}


def render(values: Values) -> dict[str, str]:
    """Return the text of every template by its path, checked against the schema of the values first.

    Raises:
        helm.HelmError: the values are refused, by the schema or by a template.
    """
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        return dict(chart.render(values, name=RELEASE, namespace=NAMESPACE))


def rendered(profile: str, values: Values) -> Rendered:
    """Return the objects under a profile."""
    texts = render(values)
    objects = [
        document
        for path, text in sorted(texts.items())
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    return Rendered(profile, overlaid(defaults(), values), tuple(objects))


def manifests() -> dict[str, str]:
    """Return the files of the rendered default: one for each template that makes objects."""
    files = {}
    for path, text in render({}).items():
        documents = [document for document in yaml.safe_load_all(text) if document] if path.endswith(".yaml") else []
        if documents:
            files[Path(path).name] = yaml.safe_dump_all(documents, sort_keys=False, width=120)
    return files
