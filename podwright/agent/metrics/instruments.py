"""Counters, gauges and histograms with labels. One thread uses them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from podwright.agent.metrics.prometheus import Family, Sample, gauge, number

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds: Prometheus' own
LATENCY_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)  # for operations of up to a minute
Labels = tuple[str, ...]


class Counter:
    """A value that grows. Each call has the values of `labels`, in order."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._values: dict[Labels, float] = {}

    def add(self, *values: str, by: float = 1) -> None:
        """Count `by` more."""
        self._values[values] = self._values.get(values, 0) + by

    def value(self, *values: str) -> float:
        """The count so far."""
        return self._values.get(values, 0)

    def forget(self, is_gone: Callable[[Mapping[str, str]], bool]) -> None:
        """Drop the counts for whose labels `is_gone` returns True."""
        for values in [values for values in self._values if is_gone(_named(self._labels, values))]:
            del self._values[values]

    def families(self) -> Iterator[Family]:
        """The metric. A counter without labels exists from the start."""
        found = self._values or ({} if self._labels else {(): 0.0})
        samples = tuple(Sample(value=count, labels=_named(self._labels, values)) for values, count in found.items())
        yield Family(name=self.name, kind="counter", help=self._text, samples=samples)


class Gauge:
    """A value that is set. Each call has the values of `labels`, in order."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._values: dict[Labels, float] = {}

    def set(self, value: float, *values: str) -> None:
        """Replace the value."""
        self._values[values] = value

    def add(self, *values: str, by: float = 1) -> None:
        """Change the value by `by`."""
        self._values[values] = self._values.get(values, 0) + by

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()

    def value(self, *values: str) -> float:
        """The last value, 0 before the first."""
        return self._values.get(values, 0)

    def families(self) -> Iterator[Family]:
        """The metric. A gauge without labels exists from the start."""
        found = self._values or ({} if self._labels else {(): 0.0})
        yield gauge(self.name, self._text, ((_named(self._labels, values), value) for values, value in found.items()))


class Histogram:
    """Counts durations (seconds) or sizes (bytes) by buckets. `buckets` has their upper limits, in ascending order."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), *, buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._bounds = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}  # one more than `buckets`, for everything above the last limit
        self._sums: dict[Labels, float] = {}

    def observe(self, amount: float, *values: str) -> None:
        """Count one duration, or one size."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self._bounds) + 1)
        counts[bisect_left(self._bounds, amount)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + amount

    def count(self, *values: str) -> int:
        """The number of observations."""
        return sum(self._counts.get(values, ()))

    def forget(self, is_gone: Callable[[Mapping[str, str]], bool]) -> None:
        """Drop the observations for whose labels `is_gone` returns True."""
        for values in [values for values in self._counts if is_gone(_named(self._labels, values))]:
            del self._counts[values], self._sums[values]

    def families(self) -> Iterator[Family]:
        """The metric. A histogram without labels exists from the start."""
        found = self._counts or ({} if self._labels else {(): [0] * (len(self._bounds) + 1)})
        samples = tuple(sample for values, counts in found.items() for sample in self._samples(values, counts))
        yield Family(name=self.name, kind="histogram", help=self._text, samples=samples)

    def _samples(self, values: Labels, counts: Sequence[int]) -> Iterator[Sample]:
        labels, total = _named(self._labels, values), 0
        bounds = (*(number(bound) for bound in self._bounds), "+Inf")
        for bound, count in zip(bounds, counts, strict=True):
            total += count
            yield Sample(value=total, labels={**labels, "le": bound}, suffix="_bucket")
        yield Sample(value=self._sums.get(values, 0.0), labels=labels, suffix="_sum")
        yield Sample(value=total, labels=labels, suffix="_count")


class InstrumentSet:
    """A set of instruments and of other sets, which are its attributes."""

    def families(self) -> Iterator[Family]:
        """The metrics of all instruments."""
        for each in vars(self).values():
            yield from each.families()


def _named(labels: Labels, values: Labels) -> dict[str, str]:
    """The labels by name, sorted as by Go's client library."""
    return dict(sorted(zip(labels, values, strict=True)))
