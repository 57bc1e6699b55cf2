"""A histogram of seconds that costs one event loop next to nothing: no locks, and the bucket is found by bisection."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0, 300.0)
"""The bounds of OpenTelemetry's conventions, and more above them for generations that take minutes."""


class Series:
    """The durations of one set of label values. To be added to by one thread; any thread may read."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Note a duration."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class Durations:
    """A family of series, as Prometheus scrapes it; with other bounds it counts anything.

    Args:
        name: its name, with the unit.
        help: what is measured, in a sentence.
        labels: the names of its labels.
        registry: what it is scraped with.
        bounds: the upper bounds of its buckets, ascending.
    """

    def __init__(
        self,
        name: str,
        help: str,
        labels: Sequence[str],
        registry: CollectorRegistry,
        bounds: Sequence[float] = BUCKETS,
    ) -> None:
        self._name = name
        self._help = help
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._names = (*(str(float(bound)) for bound in bounds), "+Inf")
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def series(self, *values: str) -> Series:
        """Return the series of label values, the same one each time."""
        return self._series.get(values) or self._series.setdefault(values, Series(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the family with all its series."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        for values, series in list(self._series.items()):
            buckets = list(zip(self._names, map(float, accumulate(series.counts)), strict=True))
            family.add_metric(values, buckets, series.total)
        yield family
