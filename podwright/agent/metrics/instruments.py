"""Counters, gauges and histograms with labels. One thread uses them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

from podwright.agent.metrics.prometheus import Family, Sample, gauge, number

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds: Prometheus' own
LATENCY_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)  # of what may take a minute
Labels = tuple[str, ...]


class Counter:
    """Grows. The values of `labels` are given with each call, in their order."""

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
        """Drop the counts whose labels `is_gone` names."""
        for values in [values for values in self._values if is_gone(_named(self._labels, values))]:
            del self._values[values]

    def families(self) -> Iterator[Family]:
        """What was counted. A counter without labels is there from the start."""
        found = self._values or ({} if self._labels else {(): 0.0})
        samples = tuple(Sample(value=count, labels=_named(self._labels, values)) for values, count in found.items())
        yield Family(name=self.name, kind="counter", help=self._text, samples=samples)


class Gauge:
    """Has a value that is set. The values of `labels` are given with each call, in their order."""

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
        """Forget what was set."""
        self._values.clear()

    def value(self, *values: str) -> float:
        """What was set last, 0 before that."""
        return self._values.get(values, 0)

    def families(self) -> Iterator[Family]:
        """What is set. A gauge without labels is there from the start."""
        found = self._values or ({} if self._labels else {(): 0.0})
        yield gauge(self.name, self._text, ((_named(self._labels, values), value) for values, value in found.items()))


class Histogram:
    """Counts durations (seconds), or sizes (bytes), by buckets. `buckets` are upper bounds that grow."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), *, buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._bounds = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}  # one more than there are bounds: what is longer than all
        self._sums: dict[Labels, float] = {}

    def observe(self, amount: float, *values: str) -> None:
        """Count one duration, or one size."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self._bounds) + 1)
        counts[bisect_left(self._bounds, amount)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + amount

    def count(self, *values: str) -> int:
        """How many durations there were."""
        return sum(self._counts.get(values, ()))

    def forget(self, is_gone: Callable[[Mapping[str, str]], bool]) -> None:
        """Drop the durations whose labels `is_gone` names."""
        for values in [values for values in self._counts if is_gone(_named(self._labels, values))]:
            del self._counts[values], self._sums[values]

    def families(self) -> Iterator[Family]:
        """What was counted. A histogram without labels is there from the start."""
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
    """Instruments, and sets of them, as the attributes of one object."""

    def families(self) -> Iterator[Family]:
        """Those of all of them."""
        for each in vars(self).values():
            yield from each.families()


def _named(labels: Labels, values: Labels) -> dict[str, str]:
    """By name, sorted as Go's client library sorts them."""
    return dict(sorted(zip(labels, values, strict=True)))
