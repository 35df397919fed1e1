"""Counters, gauges and histograms with labels, and Prometheus' text format, version 0.0.4. One thread uses them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds: Prometheus' own
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
        gone = [values for values in self._values if is_gone(dict(zip(self._labels, values, strict=True)))]
        for values in gone:
            del self._values[values]

    def lines(self) -> Iterator[str]:
        """The text of the family. One without labels is there before it has counted, one with labels is not."""
        found = self._values or ({} if self._labels else {(): 0.0})
        if found:
            yield from _head(self.name, self._text, "counter")
        yield from (f"{self.name}{_braces(self._labels, values)} {count:g}" for values, count in found.items())


class Gauge:
    """Has a value that is set. The values of `labels` are given with each call, in their order."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._values: dict[Labels, float] = {}

    def set(self, value: float, *values: str) -> None:
        """What it is now."""
        self._values[values] = value

    def clear(self) -> None:
        """Forget what was set."""
        self._values.clear()

    def value(self, *values: str) -> float:
        """What was set last, 0 before that."""
        return self._values.get(values, 0)

    def lines(self) -> Iterator[str]:
        """The text of the family. One without labels is there before it is set, one with labels is not."""
        found = self._values or ({} if self._labels else {(): 0.0})
        samples = ((dict(zip(self._labels, values, strict=True)), value) for values, value in found.items())
        if found:
            yield from gauge(self.name, self._text, samples)


class Histogram:
    """Counts durations (seconds) by buckets; `buckets` are upper bounds that grow."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), *, buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._bounds = tuple(buckets)
        self._counts: dict[Labels, list[int]] = {}  # one more than there are bounds: what is longer than all
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *values: str) -> None:
        """Count one duration."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self._bounds) + 1)
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + seconds

    def count(self, *values: str) -> int:
        """How many durations there were."""
        return sum(self._counts.get(values, ()))

    def forget(self, is_gone: Callable[[Mapping[str, str]], bool]) -> None:
        """Drop the durations whose labels `is_gone` names."""
        gone = [values for values in self._counts if is_gone(dict(zip(self._labels, values, strict=True)))]
        for values in gone:
            del self._counts[values], self._sums[values]

    def lines(self) -> Iterator[str]:
        """The text of the family. One without labels is there before it has counted, one with labels is not."""
        found = self._counts or ({} if self._labels else {(): [0] * (len(self._bounds) + 1)})
        if found:
            yield from _head(self.name, self._text, "histogram")
        for values, counts in found.items():
            total = 0
            for bound, count in zip((*(f"{bound:g}" for bound in self._bounds), "+Inf"), counts, strict=True):
                total += count
                yield f"{self.name}_bucket{_braces((*self._labels, 'le'), (*values, bound))} {total}"
            yield f"{self.name}_sum{_braces(self._labels, values)} {self._sums.get(values, 0.0):.9g}"
            yield f"{self.name}_count{_braces(self._labels, values)} {total}"


def gauge(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    """The text of a family whose values are looked at when they are asked for."""
    yield from _head(name, text, "gauge")
    yield from (f"{name}{_braces(tuple(labels), tuple(labels.values()))} {value:.15g}" for labels, value in samples)


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _braces(labels: Labels, values: Labels) -> str:
    named = sorted(
        zip(labels, values, strict=True), key=lambda pair: (pair[0] == "le", pair[0])
    )  # as Go's client does
    pairs = (f'{label}="{_escaped(value)}"' for label, value in named)
    return f"{{{','.join(pairs)}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
