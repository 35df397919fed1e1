"""The suites that run in a guest, for each cgroup driver. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.vm.recipe import VENV

Driver = Literal["cgroupfs", "systemd"]
DRIVERS: tuple[Driver, ...] = ("systemd", "cgroupfs")
PYTHON = f"{VENV}/bin/python"
RECORDED = "/run/recorded"
# Peers are tested where they are at home, on the developer's machine: here they would double the time.
OURS = "not containerd and not crio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A part of the tests: pytest's arguments, and how long it may take, in minutes."""

    name: str
    arguments: tuple[str, ...]
    minutes: float


# What the host decides most: cgroups, limits, AppArmor, user namespaces, checkpoints, a shutdown of the machine.
CASES = ("apparmor", "checkpoint", "pause", "resources", "security_profiles", "update", "userns")
HOST = (
    "tests/agent/test_on_cgroup_v2.py",
    "tests/agent/shutdown/test_real_logind.py",
    "tests/agent/resources/test_cgroups.py",
    "tests/agent/resources/test_cpus_on_runtimes.py",
    "tests/agent/resources/test_reserved.py",
    *(f"podwright/conformance/cases/test_{name}.py" for name in CASES),
)
SUITES = {
    suite.name: suite
    for suite in (
        Suite(name="conformance", arguments=("podwright/conformance/cases",), minutes=90),
        Suite(
            name="agent",
            arguments=("tests/agent/test_on_runtimes.py", "tests/agent/resources", "tests/agent/shutdown"),
            minutes=45,
        ),
        Suite(name="host", arguments=HOST, minutes=60),
        Suite(name="root", arguments=("tests", "-m", "root and not slow"), minutes=240),
    )
}


def pytest_argv(suite: Suite, driver: Driver, select: str = "") -> tuple[str, ...]:
    """pytest in the guest, for the tests that `select` (pytest's -k) fits, with the recorder."""
    chosen = f"({OURS}) and ({select})" if select else OURS
    options = (
        "-p",
        "tools.vm.recorder",
        f"--recorded={RECORDED}",
        f"--cgroup-driver={driver}",
        "--disposable",
        "-p",
        "no:cacheprovider",
    )
    return (PYTHON, "-m", "pytest", "-q", "-rfE", *options, "-k", chosen, *suite.arguments)
