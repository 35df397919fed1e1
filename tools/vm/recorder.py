"""A pytest plugin: every test's outcome as a line of JSON on stdout, at once. Tests that are known are left out.

It runs inside the guest (`-p tools.vm.recorder`). A run that is cut short has then said all that it found, and the
next one is given those tests by `--recorded FILE`, a name a line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

MARK = "vm-test "
REASON_CHARACTERS = 4000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which tests are left out."""
    parser.addoption("--recorded", type=Path, help="a file with the ids of tests that need not run again")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out those whose outcome is known."""
    path: Path | None = config.getoption("--recorded")
    if path is None:
        return
    known = frozenset(path.read_text().splitlines())
    out = [item for item in items if item.nodeid in known]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item.nodeid not in known]


def pytest_configure(config: pytest.Config) -> None:
    """A worker of xdist says nothing: the process that started it hears of every test."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


class Recorder:
    """Says the outcomes."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test has ended."""
        if (outcome := outcome_of(report)) is None:
            return
        reason = "" if report.longrepr is None else str(report.longrepr)[-REASON_CHARACTERS:]
        line = {"test": report.nodeid, "outcome": outcome, "seconds": round(report.duration, 3), "reason": reason}
        os.write(1, f"\n{MARK}{json.dumps(line)}\n".encode())


def outcome_of(report: pytest.TestReport) -> str | None:
    """passed, failed, skipped, xfailed; None for a phase that decides nothing. Pure."""
    if report.failed:
        return "failed"
    if report.skipped:
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    return "passed" if report.when == "call" else None
