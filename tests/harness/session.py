"""One run of pytest, in one process or (`-n`) in several: its share of the machine, and the leak check at its end.

The process that was started by hand has the session's share; it gives each worker a part of that, and looks for what
was left behind when all of them have ended.
"""

from __future__ import annotations

import dataclasses
import shutil
import signal
from typing import Any

import pytest

from podwright.conformance.patience import patient
from tests.harness.scratch import Share, new_share
from tests.harness.sweep import sweep
from tools.leaks import Scope, Thing, leaked, remove_empty_parents, report, snapshot

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_sessionfinish",
    "pytest_sessionstart",
]

SHARE = pytest.StashKey[Share]()
SCOPE = pytest.StashKey[Scope]()
BEFORE = pytest.StashKey[frozenset[Thing]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--leaks`: what the check at the end counts. `--cgroup-driver`: that of the servers and agents.

    `--shim`, `--docker`, `--runsc` and `--disposable`: which tests run, see `tests.fixtures`.
    """
    parser.addoption(
        "--leaks",
        choices=("own", "host"),
        default="own",
        help="count what can be traced to this run (own), or everything new on this machine (host)",
    )
    parser.addoption(
        "--shim",
        choices=("part", "all", "only"),
        default="part",
        help="conformance cases over containerd's shim: a part of them, all, or all and nothing else",
    )
    parser.addoption(
        "--docker",
        choices=("part", "all", "only"),
        default="part",
        help="the same for a Docker Engine",
    )
    parser.addoption(
        "--runsc",
        choices=("part", "all", "only"),
        default="part",
        help="conformance cases over gVisor: as --shim",
    )
    parser.addoption(
        "--cgroup-driver",
        choices=("cgroupfs", "systemd"),
        default="cgroupfs",
        help="what makes the cgroups of servers and agents under test; systemd needs a host that runs it",
    )
    parser.addoption(
        "--disposable",
        action="store_true",
        help="run the tests that change this machine's own settings too: for a virtual machine that is thrown away",
    )


@pytest.hookimpl(tryfirst=True)  # before pytest chooses the place of its temporary directories
def pytest_configure(config: pytest.Config) -> None:
    """Take the share. What the suite starts gets signals as from a terminal: in the background they are ignored."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        signal.signal(number, usual)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if _is_worker(config):
        config.stash[SHARE] = Share(**config.workerinput["share"])  # type: ignore[attr-defined] # put there by xdist
        return
    if config.option.timeout is None:
        config.option.timeout = patient(float(config.getini("timeout")))
    share = config.stash[SHARE] = new_share(config.getoption("--cgroup-driver"))
    config.add_cleanup(lambda: shutil.rmtree(share.directory))
    config.option.basetemp = config.option.basetemp or f"{share.directory}/tmp"
    config.stash[SCOPE] = share.scope(config.option.basetemp)


@pytest.hookimpl(optionalhook=True)  # xdist's
def pytest_configure_node(node: Any) -> None:
    """A worker is started."""
    number = int(node.workerinput["workerid"].removeprefix("gw"))
    node.workerinput["share"] = dataclasses.asdict(node.config.stash[SHARE].of(number))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what is there before any test."""
    if not _is_worker(session.config):
        session.config.stash[BEFORE] = snapshot(session.config.stash[SCOPE])


@pytest.hookimpl(trylast=True)  # when every fixture and worker has ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The leak check, reported as one more test that fails."""
    if _is_worker(session.config):
        return
    scope = session.config.stash[SCOPE]
    remove_empty_parents(scope)
    whole_host = session.config.getoption("--leaks") == "host"
    things = leaked(session.config.stash[BEFORE], scope, whole_host=whole_host)
    if things:
        sweep(scope, settle_s=0)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.hook.pytest_runtest_logreport(report=_failure(report(things)))


def _failure(text: str) -> pytest.TestReport:
    place = ("", None, "leak check")
    return pytest.TestReport("leak check", place, keywords={}, outcome="failed", longrepr=text, when="teardown")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
