"""Histograms of durations as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from mesh.telemetry.durations import BUCKETS, Durations


def test_a_duration_counts_in_every_bucket_from_its_own_on() -> None:
    registry = CollectorRegistry()
    durations = Durations("call_seconds", "Duration of a call.", ("method",), registry)
    for seconds in (0.005, 0.006, 1.0, 1000.0):
        durations.series("Chat").observe(seconds)
    lines = generate_latest(registry).decode().splitlines()
    assert lines[:2] == ["# HELP call_seconds Duration of a call.", "# TYPE call_seconds histogram"]
    counts = {line.split('le="')[1].split('"')[0]: float(line.split()[-1]) for line in lines if "_bucket" in line}
    expected = {str(float(bound)): 1.0 if bound < 0.01 else 2.0 if bound < 1 else 3.0 for bound in BUCKETS}
    assert counts == expected | {"+Inf": 4.0}
    assert 'call_seconds_count{method="Chat"} 4.0' in lines
    assert 'call_seconds_sum{method="Chat"} 1001.011' in lines


def test_the_same_labels_are_the_same_series() -> None:
    durations = Durations("call_seconds", "Duration of a call.", ("method",), CollectorRegistry())
    assert durations.series("Chat") is durations.series("Chat")
    assert durations.series("Chat") is not durations.series("Embed")
