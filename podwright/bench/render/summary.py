"""The most important numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.bench.render.tables import Row
from podwright.bench.results import BenchReport

LARGEST = -1  # see `summary`
LABELS = {"pods": "{} pods there", "at_once": "{} all at once"}


class SummaryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the summary: its measurement and its label."""

    label: str
    suite: str
    name: str
    conditions: Mapping[str, int] = msgspec.field(default_factory=dict)


LINES = (
    SummaryLine(label="pod start, one at a time", suite="start", name="pod start", conditions={"concurrency": 1}),
    SummaryLine(label="pods per second, 4 at once", suite="start", name="pods/s", conditions={"concurrency": 4}),
    SummaryLine(label="pods per second, 16 at once", suite="start", name="pods/s", conditions={"concurrency": 16}),
    SummaryLine(label="pod start", suite="lifecycle", name="pod start", conditions={"at_once": LARGEST}),
    SummaryLine(label="pod start", suite="density", name="pod start", conditions={"pods": LARGEST}),
    SummaryLine(
        label="pod stop and removal, one at a time", suite="start", name="teardown",
        conditions={"concurrency": 1},
    ),
    SummaryLine(label="CPU per pod start", suite="start", name="CPU per pod start", conditions={"concurrency": 1}),
    SummaryLine(label="idle daemon, PSS", suite="start", name="daemon PSS", conditions={"pods": 0}),
    SummaryLine(label="daemon, PSS", suite="density", name="daemon PSS", conditions={"pods": LARGEST}),
    SummaryLine(
        label="monitors per pod, PSS", suite="density", name="monitors' PSS per pod",
        conditions={"pods": LARGEST},
    ),
    SummaryLine(label="relist", suite="relist", name="relist", conditions={"pods": LARGEST}),
    SummaryLine(
        label="CPU of a relist each second", suite="relist", name="CPU of a relist each second",
        conditions={"pods": LARGEST},
    ),
    SummaryLine(label="ExecSync", suite="exec", name="ExecSync", conditions={"concurrency": 1}),
    SummaryLine(
        label="ExecSync per second, 4 at once", suite="exec", name="ExecSync/s",
        conditions={"concurrency": 4},
    ),
    SummaryLine(label="exec through a stream", suite="exec", name="exec stream", conditions={"concurrency": 1}),
    SummaryLine(label="HTTP request, added by port-forward", suite="exec", name="added by port-forward"),
    SummaryLine(label="port-forward, from the pod", suite="exec", name="port-forward, from the pod"),
    SummaryLine(label="pull and unpack, image 1", suite="pull", name="pull", conditions={"image": 1}),
    SummaryLine(label="pull and unpack, image 2", suite="pull", name="pull", conditions={"image": 2}),
    SummaryLine(label="daemon restart", suite="lifecycle", name="daemon restart", conditions={"pods": LARGEST}),
    SummaryLine(label="manifest to container start", suite="agent", name="manifest to container start"),
    SummaryLine(label="added by the node agent", suite="agent", name="added by the agent"),
    SummaryLine(
        label="manifests to all running in /pods", suite="agent", name="all running in /pods",
        conditions={"at_once": LARGEST},
    ),
    SummaryLine(
        label="node agent, CPU per pod start", suite="agent", name="agent CPU per pod start",
        conditions={"at_once": LARGEST},
    ),
    SummaryLine(label="idle node agent, CPU", suite="agent", name="idle agent CPU", conditions={"pods": LARGEST}),
    SummaryLine(label="node agent, PSS", suite="agent", name="agent PSS", conditions={"pods": LARGEST}),
    SummaryLine(
        label="node agent killed to /pods right again", suite="agent", name="agent killed to /pods right again",
        conditions={"pods": LARGEST},
    ),
)  # fmt: skip


def summary(report: BenchReport) -> list[tuple[str, Row]]:
    """The label and row of each measured line.

    A line of a growth has two rows if a target skipped the largest value: the largest common one, and the largest.
    """
    return [
        found
        for line in LINES
        for conditions in _conditions(report, line)
        for found in _rows(report, line, conditions)
    ]


def _rows(report: BenchReport, line: SummaryLine, conditions: Mapping[str, int]) -> list[tuple[str, Row]]:
    cells = tuple(report.find(line.suite, line.name, target.name, **conditions) for target in report.targets)
    units = [each.unit for each in cells if each]
    if not units:
        return []
    words = [LABELS[name].format(value) for name, value in conditions.items() if line.conditions[name] == LARGEST]
    row = Row(name=line.name, unit=units[0], conditions=conditions, cells=cells)
    return [(", ".join([line.label, *words]), row)]


def _conditions(report: BenchReport, line: SummaryLine) -> list[Mapping[str, int]]:
    """The line's own conditions.

    For LARGEST, the value that every target reached, and the largest that any reached.
    """
    if LARGEST not in line.conditions.values():
        return [line.conditions]
    [condition] = line.conditions
    reached: dict[str, int] = {}
    for each in report.measurements:
        if (each.suite, each.name) == (line.suite, line.name) and list(each.conditions) == [condition]:
            reached[each.target] = max(reached.get(each.target, 0), each.conditions[condition])
    values = sorted({min(reached.values()), max(reached.values())}) if reached else []
    return [{condition: value} for value in values]
