"""Prometheus' text format, version 0.0.4. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value; `timestamp_ms` 0 means now. `suffix` is for histograms' parts."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    timestamp_ms: int = 0
    suffix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All samples of one name."""

    name: str
    kind: str  # `counter`, `gauge`, `histogram`
    help: str
    samples: tuple[Sample, ...]


def exposition(families: Iterable[Family]) -> bytes:
    """The text; families without samples are left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [_line(family.name, sample) for sample in family.samples]
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in sample.labels.items())
    shown = f"{{{labels}}}" if labels else ""
    when = f" {sample.timestamp_ms}" if sample.timestamp_ms else ""
    return f"{name}{sample.suffix}{shown} {_number(sample.value)}{when}"


def _number(value: float) -> str:
    """Go's shortest form; whole numbers without a fraction."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # Prometheus' own, in seconds


class Histogram:
    """Counts of observations up to each bound, for one set of labels."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...] = DEFAULT_BUCKETS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self, labels: Mapping[str, str]) -> Iterator[Sample]:
        """Its buckets, sum and count."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            shown = "+Inf" if bound == float("inf") else _number(bound)
            yield Sample(value=total, labels={**labels, "le": shown}, suffix="_bucket")
        yield Sample(value=self._sum, labels=labels, suffix="_sum")
        yield Sample(value=total, labels=labels, suffix="_count")
