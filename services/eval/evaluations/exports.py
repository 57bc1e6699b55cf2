"""The files that a job leaves: its samples as JSON lines and Parquet, its metrics as JSON, a report with plots."""

from __future__ import annotations

import asyncio
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow
from pyarrow import parquet

from llamastack.common.v1.value_pb2 import JsonObject, JsonValue
from llamastack.evaluations.v1.job_pb2 import EvaluationSample
from mesh.json_text import write
from services.eval.evaluations.estimates import Estimate, lower_is_better
from services.eval.evaluations.kinds import Facts
from services.eval.evaluations.plots import metrics_plot, scores_plot
from services.eval.evaluations.report import Report, render
from services.eval.evaluations.reporting import File
from services.eval.evaluations.results import Owner, Results

_PAGE: Final = 1000


async def exports(
    results: Results, owner: Owner, about: tuple[str, Facts], found: Mapping[str, Estimate]
) -> Sequence[File]:
    """Return the files of a job; ``about`` is the name of what was evaluated and what the request said."""
    samples: list[EvaluationSample] = []
    while page := await results.page(owner, samples[-1].index if samples else -1, _PAGE):
        samples += page
    return await asyncio.to_thread(_files, samples, (owner[1], *about), found)


def _files(
    samples: Sequence[EvaluationSample], about: tuple[str, str, Facts], found: Mapping[str, Estimate]
) -> Sequence[File]:
    job, name, facts = about
    shown = {metric: estimate for metric, estimate in found.items() if estimate.samples}
    plots = {"metrics.png": metrics_plot(name, shown, facts.resampling.confidence)}
    scores = _columns(samples)
    if scores:
        plots["scores.png"] = scores_plot(scores)
    report = Report(job, name, facts, shown, samples)
    return [
        File("samples.jsonl", "application/jsonl", "dataset", _lines(samples)),
        File("samples.parquet", "application/vnd.apache.parquet", "dataset", _parquet(samples, scores)),
        File("metrics.json", "application/json", "metric", _metrics(job, facts, shown)),
        File("report.html", "text/html", "other", render(report, plots).encode()),
        *(File(title, "image/png", "plot", image) for title, image in plots.items()),
    ]


def _columns(samples: Sequence[EvaluationSample]) -> dict[str, list[float | None]]:
    """Return the scores of all samples by the metric's name, None where a sample has none."""
    names = sorted({name for sample in samples for name in sample.scores})
    return {name: [_score(sample, name) for sample in samples] for name in names}


def _score(sample: EvaluationSample, name: str) -> float | None:
    # a message's map has a value for every key that it is asked for
    return sample.scores[name] if name in sample.scores else None  # noqa: SIM401


def _lines(samples: Sequence[EvaluationSample]) -> bytes:
    return b"".join(_line(sample) + b"\n" for sample in samples)


def _line(sample: EvaluationSample) -> bytes:
    members = {
        "index": str(sample.index),
        "input": _text(sample.input),
        "output": json.dumps(sample.output, ensure_ascii=False),
        "references": json.dumps(list(sample.references), ensure_ascii=False),
        "scores": json.dumps({name: _number(sample.scores[name]) for name in sorted(sample.scores)}),
        "error": json.dumps(sample.error if sample.HasField("error") else None, ensure_ascii=False),
    }
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}").encode()


def _parquet(samples: Sequence[EvaluationSample], scores: Mapping[str, Sequence[float | None]]) -> bytes:
    """Return the samples as Parquet: the input as JSON text, a column ``score.NAME`` for each metric."""
    columns: dict[str, Any] = {
        "index": pyarrow.array([sample.index for sample in samples], pyarrow.int64()),
        "input": pyarrow.array([_text(sample.input) for sample in samples], pyarrow.string()),
        "output": pyarrow.array([sample.output for sample in samples], pyarrow.string()),
        "references": pyarrow.array([list(sample.references) for sample in samples], pyarrow.list_(pyarrow.string())),
    }
    columns |= {f"score.{name}": pyarrow.array(values, pyarrow.float64()) for name, values in scores.items()}
    errors = [sample.error if sample.HasField("error") else None for sample in samples]
    columns["error"] = pyarrow.array(errors, pyarrow.string())
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def _metrics(job: str, facts: Facts, found: Mapping[str, Estimate]) -> bytes:
    metrics = {
        name: {
            "value": _number(estimate.value),
            "low": _number(estimate.low),
            "high": _number(estimate.high),
            "num_samples": estimate.samples,
            "lower_is_better": lower_is_better(name),
        }
        for name, estimate in found.items()
    }
    how = facts.resampling
    document = {
        "job_uuid": job,
        "kind": facts.kind,
        "confidence": how.confidence,
        "bootstrap_samples": how.resamples,
        "seed": how.seed,
        "metrics": metrics,
    }
    return json.dumps(document, indent=2).encode()


def _number(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it; what is not finite is a word, as in the contracts."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(members: JsonObject) -> str:
    return write(JsonValue(object_value=members))
