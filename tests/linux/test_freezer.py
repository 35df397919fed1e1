"""The freezer: v2's files as they are on such a host, and a real frozen process in each hierarchy of this one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux import cgroup, freezer
from podwright.linux.cgroup import CgroupHost
from podwright.process import Command, PosixProcessRunner, Process

HEEDFUL = (
    "trap 'exit 3' TERM; : > $0; while :; do sleep 0.02; done"  # v2 lets frozen processes die, but not handle signals
)


def _v2(directory: Path, *, frozen: int) -> CgroupHost:
    (directory / "c").mkdir()
    (directory / "c/cgroup.freeze").write_text("0\n")
    (directory / "c/cgroup.events").write_text(f"populated 1\nfrozen {frozen}\n")
    return CgroupHost(layout="v2", unified=str(directory))


def test_v2_files(tmp_path: Path) -> None:
    host = _v2(tmp_path, frozen=0)
    assert not freezer.is_frozen(host, "/c")
    (tmp_path / "c/cgroup.freeze").write_text("1\n")
    assert freezer.is_frozen(host, "/c")
    freezer.thaw(host, "/c")
    assert (tmp_path / "c/cgroup.freeze").read_text().strip() == "0"


def test_what_does_not_freeze_runs_on(tmp_path: Path) -> None:
    host = _v2(tmp_path, frozen=0)
    with pytest.raises(DeadlineExceeded):
        freezer.freeze(host, "/c", timeout_s=0.01)
    assert not freezer.is_frozen(host, "/c")


def test_processes_that_wait_for_each_other_are_let_run_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _v2(tmp_path, frozen=0)
    thaw = freezer.thaw

    def let_run(host: CgroupHost, path: str) -> None:
        thaw(host, path)
        (tmp_path / "c/cgroup.events").write_text("populated 1\nfrozen 1\n")  # now all of them can freeze

    monkeypatch.setattr(freezer, "thaw", let_run)
    freezer.freeze(host, "/c", timeout_s=patient(60))
    assert freezer.is_frozen(host, "/c")


def test_absent_cgroups_and_hosts_without_a_freezer(tmp_path: Path) -> None:
    host = CgroupHost(layout="v2", unified=str(tmp_path))
    assert not freezer.is_frozen(host, "/absent")
    freezer.thaw(host, "/absent")
    with pytest.raises(FileNotFoundError):
        freezer.freeze(host, "/absent")
    none = CgroupHost(layout="none")
    assert not freezer.is_frozen(none, "/c")
    with pytest.raises(FailedPrecondition):
        freezer.freeze(none, "/c")


@pytest_asyncio.fixture
async def process(tmp_path: Path) -> AsyncIterator[tuple[str, Process]]:
    """A process in a cgroup of its own, in every hierarchy that freezes."""
    host = cgroup.detect()
    path = f"/podwright-test-{os.getpid()}/freezer"
    ready = tmp_path / "ready"
    running = PosixProcessRunner().start(Command(argv=("sh", "-c", HEEDFUL, str(ready)), timeout_s=None))
    try:
        while not ready.exists():  # noqa: ASYNC110 # a file tells nobody
            await asyncio.sleep(0.01)
        roots = {host.controllers.get("freezer"), host.unified} - {None}
        for directory in (f"{root}{path}" for root in roots):
            os.makedirs(directory)
            Path(directory, "cgroup.procs").write_text(str(running.pid))
        yield path, running
    finally:
        await asyncio.to_thread(cgroup.kill_all, host, path)
        await running.wait()
        cgroup.remove(host, os.path.dirname(path))


def _hosts() -> list[CgroupHost]:
    host = cgroup.detect()
    unified = msgspec.structs.replace(host, layout="v2", controllers={})
    return [host, *([unified] if host.layout == "hybrid" else [])]


@pytest.mark.root
@pytest.mark.parametrize("host", _hosts(), ids=lambda host: host.layout)
async def test_a_frozen_process_takes_no_signal_until_it_thaws(process: tuple[str, Process], host: CgroupHost) -> None:
    path, running = process
    for _ in range(2):
        await asyncio.to_thread(freezer.freeze, host, path)
    assert freezer.is_frozen(host, path)
    running.signal(15)
    await asyncio.sleep(0.05)
    assert running.returncode is None
    for _ in range(2):
        freezer.thaw(host, path)
    assert not freezer.is_frozen(host, path)
    async with asyncio.timeout(patient(60)):
        assert await running.wait() == 3


@pytest.mark.root
async def test_killing_a_cgroup_ends_frozen_processes_too(process: tuple[str, Process]) -> None:
    path, running = process
    host = cgroup.detect()
    await asyncio.to_thread(freezer.freeze, host, path)
    assert await asyncio.to_thread(cgroup.kill_all, host, path)
    assert await running.wait() == -9
