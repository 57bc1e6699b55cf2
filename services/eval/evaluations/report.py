"""A report of a job as one HTML page that needs nothing else: the plots are in it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf import json_format
from jinja2 import Environment, PackageLoader, StrictUndefined

from llamastack.common.v1.value_pb2 import JsonValue
from llamastack.evaluations.v1.job_pb2 import EvaluationSample
from mesh.json_text import write
from services.eval.evaluations.estimates import Estimate, lower_is_better
from services.eval.evaluations.kinds import Facts

_SHOWN: Final = 12
_LONGEST: Final = 700


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported: the job, what was evaluated, what was asked for, and what came of it."""

    job: str
    name: str
    facts: Facts
    metrics: Mapping[str, Estimate]
    samples: Sequence[EvaluationSample]


def render(report: Report, plots: Mapping[str, bytes]) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("services.eval.evaluations", "pages"), autoescape=True, undefined=StrictUndefined
    )
    failed = [sample for sample in report.samples if sample.HasField("error")]
    return environment.get_template("report.html").render(
        report=report,
        kind=report.facts.kind.replace("_", " "),
        confidence=f"{report.facts.resampling.confidence * 100:g}",
        resamples=report.facts.resampling.resamples,
        metrics=[_metric(name, estimate) for name, estimate in report.metrics.items()],
        plots=[b64encode(image).decode() for image in plots.values()],
        worst=[_sample(sample) for sample in _worst(report.samples)],
        failed=[_sample(sample) for sample in failed[:_SHOWN]],
        num_failed=len(failed),
        options=json.dumps(
            json_format.MessageToDict(report.facts.options, preserving_proto_field_name=True), ensure_ascii=False
        ),
    )


def _metric(name: str, estimate: Estimate) -> Mapping[str, str]:
    known = estimate.low is not None and estimate.high is not None
    return {
        "name": name,
        "value": f"{estimate.value:.4f}",
        "interval": f"{estimate.low:.4f} to {estimate.high:.4f}" if known else "-",
        "samples": f"{estimate.samples:,}",
        "better": "less" if lower_is_better(name) else "more",
    }


def _worst(samples: Sequence[EvaluationSample]) -> Sequence[EvaluationSample]:
    """Return the samples that did worst, by the first of their metrics."""
    scored = [sample for sample in samples if sample.scores and not sample.HasField("error")]

    def badness(sample: EvaluationSample) -> tuple[float, int]:
        name = min(sample.scores)
        return (-sample.scores[name] if lower_is_better(name) else sample.scores[name], sample.index)

    return sorted(scored, key=badness)[:_SHOWN]


def _sample(sample: EvaluationSample) -> Mapping[str, str]:
    scores = ", ".join(f"{name} {sample.scores[name]:.3g}" for name in sorted(sample.scores))
    return {
        "index": str(sample.index),
        "input": _cut(write(JsonValue(object_value=sample.input))),
        "output": _cut(sample.output),
        "references": _cut(" | ".join(sample.references)),
        "scores": scores,
        "error": sample.error,
    }


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
