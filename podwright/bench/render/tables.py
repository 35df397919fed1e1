"""The content of the tables, independent of the format. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from podwright.bench.results import BenchReport, Measurement

MIB = 1024 * 1024
ENOUGH_FOR_P99 = 10  # with fewer samples, p90 and p99 would equal the largest one
CONDITION_WORDS = {
    "concurrency": "{} at once",
    "at_once": "{} all at once",
    "up_to": "on the way to {} pods",
    "up_to_images": "on the way to {} images",
    "all_of": "all of {}",
    "pods": "beside {} pods",
    "containers": "{} containers in the pod",
    "images": "{} images",
    "image": "image {}",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity on all targets: a measurement for each, or None."""

    name: str
    unit: str
    conditions: Mapping[str, int]
    cells: tuple[Measurement | None, ...]

    @property
    def label(self) -> str:
        """`pod start, 4 at once (ms)`."""
        return ", ".join([self.name, *condition_words(self.conditions)]) + f" ({shown_unit(self.unit)})"


def condition_words(conditions: Mapping[str, int]) -> list[str]:
    """`4 at once`."""
    return [
        "no pods" if (name, value) == ("pods", 0) else CONDITION_WORDS.get(name, name + " {}").format(value)
        for name, value in conditions.items()
    ]


class ResultTable(msgspec.Struct, frozen=True, kw_only=True):
    """One suite."""

    suite: str
    targets: tuple[str, ...]
    rows: tuple[Row, ...]


def tables(report: BenchReport) -> list[ResultTable]:
    """A table for each suite, with rows in the order of the measurements."""
    targets = tuple(target.name for target in report.targets)
    suites = dict.fromkeys(each.suite for each in report.measurements)
    return [ResultTable(suite=suite, targets=targets, rows=_rows(report, suite, targets)) for suite in suites]


def _rows(report: BenchReport, suite: str, targets: Sequence[str]) -> tuple[Row, ...]:
    found: dict[tuple[str, str, tuple[tuple[str, int], ...]], dict[str, Measurement]] = {}
    for each in report.measurements:
        if each.suite == suite:
            key = (each.name, each.unit, tuple(each.conditions.items()))
            found.setdefault(key, {})[each.target] = each
    return tuple(
        Row(name=name, unit=unit, conditions=dict(conditions), cells=tuple(by_target.get(name) for name in targets))
        for (name, unit, conditions), by_target in found.items()
    )


def cell(measurement: Measurement | None) -> str:
    """A cell such as `12.3 / 15.0 / 20.1`: p50, p90 and p99, or the median of few samples, and failures."""
    if measurement is None:
        return "-"
    failed = f" ({measurement.failures} failed)" if measurement.failures else ""
    summary = measurement.summary
    if summary is None:
        return f"none{failed}"
    values = [summary.p50]
    if measurement.unit == "ms" and summary.count >= ENOUGH_FOR_P99:
        values += [summary.p90, summary.p99]
    return " / ".join(number(value, measurement.unit) for value in values) + failed


def spread(measurement: Measurement | None) -> str:
    """The number of samples, the interval of the median, and the extremes."""
    if measurement is None or measurement.summary is None:
        return ""
    summary, unit = measurement.summary, measurement.unit
    parts = [f"n = {summary.count}"]
    if summary.low is not None and summary.high is not None:
        parts.append(f"median 95 % in {number(summary.low, unit)} to {number(summary.high, unit)}")
    parts.append(f"min {number(summary.min, unit)}, max {number(summary.max, unit)}")
    return ", ".join(parts)


def shown_unit(unit: str) -> str:
    """The unit to show. Bytes are shown as MiB."""
    return "MiB" if unit == "bytes" else unit


def number(value: float, unit: str) -> str:
    """A number with three digits."""
    shown = value / MIB if unit == "bytes" else value
    if abs(shown) >= 100:
        return f"{shown:.0f}"
    return f"{shown:.1f}" if abs(shown) >= 10 else f"{shown:.2f}"
