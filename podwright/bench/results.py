"""The result of a bench run as data. Its JSON is the format to keep: every plot and table is made from it.

`json_schema` describes it for programs, with the docstrings here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.bench.machine import BenchMachine
from podwright.bench.options import BenchOptions
from podwright.bench.stats import SampleSummary
from podwright.errors import InvalidArgument

FORMAT = 2


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity on one target under the same conditions (such as `pods: 100`).

    `samples` are all samples in order, round after round. `failures` counts attempts without a sample. `summary` is
    None if all attempts failed.
    """

    suite: str
    target: str
    name: str
    unit: str
    conditions: dict[str, int]
    summary: SampleSummary | None
    failures: int
    samples: list[float]


class TargetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A target: its own version, and its configuration (`files`: name to content).

    `agent` is the node agent of the suite `agent` with its version, or empty.
    """

    name: str
    kind: str
    endpoint: str
    handler: str
    runtime_name: str
    runtime_version: str
    api_version: str
    daemon_pid: int | None
    files: dict[str, str]
    agent: str = ""


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The complete result. `date` is the start (RFC 3339, UTC). `format` increases when fields change meaning.

    `gaps` say what was not measured and why. `errors` say what failed.
    """

    format: int
    date: str
    duration_s: float
    podwright_version: str
    machine: BenchMachine
    options: BenchOptions
    targets: list[TargetReport]
    measurements: list[Measurement]
    gaps: list[str]
    errors: list[str]

    def find(self, suite: str, name: str, target: str, **conditions: int) -> Measurement | None:
        """The measurement, or None."""
        for each in self.measurements:
            if (each.suite, each.name, each.target, each.conditions) == (suite, name, target, conditions):
                return each
        return None


def as_json(report: BenchReport) -> str:
    """Indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def from_json(text: str | bytes) -> BenchReport:
    """The report in the output of `as_json`. Raises InvalidArgument."""
    try:
        report = msgspec.json.decode(text, type=BenchReport)
    except msgspec.DecodeError as failure:
        raise InvalidArgument(f"this is not a bench report: {failure}") from failure
    if report.format != FORMAT:
        raise InvalidArgument(f"the report has format {report.format}, but this version reads format {FORMAT}")
    return report


def json_schema() -> dict[str, Any]:
    """JSON Schema of the report."""
    return msgspec.json.schema(BenchReport)
