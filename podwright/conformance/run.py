"""Runs the cases against a server that is there: `podwright conformance`."""

from __future__ import annotations

import os
from importlib.util import find_spec

import msgspec

from podwright.errors import FailedPrecondition

HERE = os.path.dirname(__file__)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `select` is pytest's -k expression, `report` the path of a JUnit XML file. Empty: all, none."""

    endpoint: str
    image: str
    cgroup_parent: str = ""
    select: str = ""
    report: str = ""
    verbose: bool = False
    list_only: bool = False


def run(options: Options) -> int:
    """Run the cases. Returns 0 if all pass, 1 otherwise. Raises FailedPrecondition without pytest."""
    for name in ("pytest", "pytest_asyncio"):
        if find_spec(name) is None:
            hint = "pip install 'podwright[conformance]'"
            raise FailedPrecondition(f"the conformance cases need {name}", hint=hint)
    import pytest  # noqa: PLC0415 # an extra; it warns when its plug-in is imported before it runs

    code = int(pytest.main(arguments(options)))
    return 0 if code == 0 else 1


def arguments(options: Options) -> list[str]:
    """pytest's command line. The settings are our own file, whatever project the caller stands in. Pure."""
    cases = f"{HERE}/cases"
    words = ["-c", f"{HERE}/settings.ini", f"--rootdir={HERE}", f"--confcutdir={cases}", "-ra", cases]
    words += [f"--endpoint={options.endpoint}", f"--image={options.image}"]
    if options.cgroup_parent:
        words.append(f"--cgroup-parent={options.cgroup_parent}")
    if options.select:
        words += ["-k", options.select]
    if options.report:
        words.append(f"--junitxml={os.path.abspath(options.report)}")
    if options.list_only:
        words += ["--collect-only", "-q"]
    return [*words, "-v"] if options.verbose else words
