"""Branch coverage of the package, measured while the suite runs, with a floor below which the suite fails.

PODWRIGHT_COVERAGE=fast (`make test`) measures the tests that need neither root nor a peer, in the process that runs
them, which costs a minute of the suite. PODWRIGHT_COVERAGE=all (`make coverage`) measures every test and all processes
that it starts, which takes twice the time. It is an environment variable and no option, since the measurement has to
begin before the package is imported, whose definitions count.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import coverage
import pytest

__all__ = ["pytest_runtest_protocol", "pytest_sessionfinish"]

TREE = Path(__file__).resolve().parents[2]
SETTINGS = str(TREE / "pyproject.toml")
DATA = TREE / "build/coverage/data"
WHAT = os.environ.get("PODWRIGHT_COVERAGE", "")


def _started() -> coverage.Coverage | None:
    if not WHAT:
        return None
    if WHAT not in ("fast", "all"):
        raise pytest.UsageError(f"PODWRIGHT_COVERAGE is {WHAT!r}: set it to fast or all, or leave it out")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(DATA.parent, ignore_errors=True)
        DATA.parent.mkdir(parents=True)
    measure = coverage.Coverage(DATA, data_suffix=True, config_file=SETTINGS)
    if WHAT == "all":
        measure.set_option("run:patch", ["subprocess"])
    measure.start()
    return measure


MEASURE = _started()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Measure this test, or not."""
    if MEASURE is None or WHAT == "all":
        return (yield)
    MEASURE.stop()  # what began with the import, and counted the definitions
    if item.get_closest_marker("root") or item.get_closest_marker("peer"):
        return (yield)
    MEASURE.start()
    try:
        return (yield)
    finally:
        MEASURE.stop()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what this process has measured. The process that was started by hand adds it up and looks at the floor."""
    if MEASURE is None:
        return
    MEASURE.stop()
    MEASURE.save()
    if hasattr(session.config, "workerinput"):
        return
    total = coverage.Coverage(DATA, config_file=SETTINGS)
    total.combine([str(DATA.parent)])
    total.save()
    report = DATA.parent / "report.txt"
    with report.open("w") as file:
        percent = total.report(file=file)
    floor = float(str(total.get_option("report:fail_under") or 0))
    print(
        f"\ncoverage: {percent:.1f} % of lines and branches, the floor is {floor:.0f} % ({report.relative_to(TREE)})"
    )
    if percent < floor and _is_whole(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests run, and not a choice of them."""
    chosen = config.option.keyword or config.option.markexpr
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen
