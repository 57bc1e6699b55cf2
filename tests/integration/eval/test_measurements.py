"""What runs measure."""

from __future__ import annotations

import math

from llamastack.observability.v1 import metric_pb2 as pb
from mesh.errors import InvalidField, ResourceNotFound
from services.eval.evaluations.estimates import Estimate
from services.eval.evaluations.reporting import Reporter
from tests.integration.eval.record import Recorded, at, metric, refused


async def test_measurements_come_oldest_first_and_in_pages(record: Recorded) -> None:
    run = await record.run((await record.experiment()).id)
    steps = [metric(run.id, "loss", 1 / (number + 1), when=2.0, step=number - 2) for number in range(5)]
    early = metric(run.id, "zeal", 1.0, when=1.0)
    before = metric(run.id, "loss", 3.0, when=-5.0)
    await record.stub.LogMetrics(pb.LogMetricsRequest(run_id=run.id, metrics=[*reversed(steps), early, before]))
    first = await record.stub.GetMetrics(pb.GetMetricsRequest(run_id=run.id, page_size=4))
    assert list(first.metrics) == [before, early, *steps[:2]]
    rest = pb.GetMetricsRequest(run_id=run.id, page_size=4, page_token=first.next_page_token)
    assert await record.stub.GetMetrics(rest) == pb.GetMetricsResponse(metrics=steps[2:])
    named = await record.stub.GetMetrics(pb.GetMetricsRequest(run_id=run.id, name="zeal"))
    assert list(named.metrics) == [early]


async def test_a_measurement_of_the_same_name_time_and_step_is_replaced(record: Recorded) -> None:
    run = await record.run((await record.experiment()).id)
    old, new = metric(run.id, "loss", 1.0, step=3), metric(run.id, "loss", 2.0, step=3)
    other = metric(run.id, "loss", 5.0)
    await record.stub.LogMetrics(pb.LogMetricsRequest(run_id=run.id, metrics=[old, other, old]))
    await record.stub.LogMetrics(pb.LogMetricsRequest(run_id=run.id, metrics=[new]))
    found = await record.stub.GetMetrics(pb.GetMetricsRequest(run_id=run.id))
    assert list(found.metrics) == [other, new]


async def test_values_of_every_kind_come_back(record: Recorded) -> None:
    run = await record.run((await record.experiment()).id)
    kinds = [
        pb.MetricValue(integer=2**62),
        pb.MetricValue(number=math.inf),
        pb.MetricValue(boolean=False),
        pb.MetricValue(text="fine\0"),
    ]
    sent = [
        pb.Metric(name=f"m{index}", value=value, timestamp=at(1.5), run_id=run.id) for index, value in enumerate(kinds)
    ]
    await record.stub.LogMetrics(pb.LogMetricsRequest(run_id=run.id, metrics=sent))
    found = await record.stub.GetMetrics(pb.GetMetricsRequest(run_id=run.id))
    assert list(found.metrics) == sent


async def test_a_metric_of_another_run_or_without_a_time_is_refused(embedded: Recorded) -> None:
    run = await embedded.run((await embedded.experiment()).id)
    wrong = pb.LogMetricsRequest(run_id=run.id, metrics=[metric("other", "loss", 1.0)])
    assert "every metric must have the request's run_id" in (await refused(embedded.stub.LogMetrics(wrong))).message
    late = metric(run.id, "loss", 1.0)
    late.timestamp.seconds = 10**15
    error = await refused(embedded.stub.LogMetrics(pb.LogMetricsRequest(run_id=run.id, metrics=[late])))
    assert isinstance(error, InvalidField)
    assert error.message == "metrics[0].timestamp: a time in the years 1 to 9999 is needed"
    nowhere = await refused(embedded.stub.LogMetrics(pb.LogMetricsRequest(run_id="none")))
    assert isinstance(nowhere, ResourceNotFound)


async def test_a_job_that_is_ended_a_second_time_is_measured_once(embedded: Recorded) -> None:
    run, kept = await embedded.run((await embedded.experiment()).id), embedded.record
    reporter = Reporter(kept.experiments, kept.measurements, kept.artifacts, kept.journal)
    for _ in range(2):
        await reporter.measure(run.id, {"em": Estimate(0.5, 0.4, 0.6, 3), "f1": Estimate(0.7, 0.6, 0.8, 3)}, 3)
    found = (await embedded.stub.GetMetrics(pb.GetMetricsRequest(run_id=run.id))).metrics
    assert [(one.name, one.value.number, one.step) for one in found] == [("em", 0.5, 3), ("f1", 0.7, 3)]
