"""kill -9 of the agent before and after each thing that it does to CSI volumes: its successor ends or takes over all.

A killed process does nothing more: here every later change of its threads, and every later call of a driver, raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.csi.calls import CsiNode
from podwright.conformance.patience import patient
from podwright.k8s.objects import Pod
from podwright.linux import libc
from tests.agent.volumes.storage.build import csi_volume, pod_of
from tests.agent.volumes.storage.test_csi_on_disk import Bench, until

pytestmark = [pytest.mark.root, pytest.mark.slow]
CHANGES = ("mkdir", "rename", "unlink", "rmdir", "symlink", "open")
CALLS = ("stage", "publish", "unpublish", "unstage")
STEPS_MAX = 120


class Killed(BaseException):
    """The process is no more."""


class Killer:
    """Kills before the change number `left`, counted from 0; None never does."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.has_killed = False

    def arm(self, left: int | None) -> None:
        self.left, self.has_killed = left, False

    def step(self) -> None:
        if self.left is None:
            return
        if self.left <= 0:
            self.has_killed = True
            raise Killed
        self.left -= 1


@pytest.fixture
async def bench(root: Path) -> AsyncIterator[Bench]:
    found = Bench(root)
    await found.manager.recover()
    found.watcher.start()
    async with found.driver:
        await until(lambda: found.driver.told)
        yield found
        await found.watcher.close()
        await found.manager.close()


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    found = Killer()
    for name in CHANGES:
        monkeypatch.setattr(os, name, _in_threads(getattr(os, name), found))
    for name in ("mount", "umount2"):
        monkeypatch.setattr(libc, name, _in_threads(getattr(libc, name), found))
    for name in CALLS:
        monkeypatch.setattr(CsiNode, name, _around(getattr(CsiNode, name), found))
    return found


def _in_threads(function: Callable[..., Any], killer: Killer) -> Callable[..., Any]:
    """The threads of volumes are the agent's; the others are the driver's and the test's."""

    def call(*arguments: Any, **named: Any) -> Any:
        reads = function.__name__ == "open" and not arguments[1] & os.O_CREAT
        if threading.current_thread().name == "volumes" and not reads:
            killer.step()
        return function(*arguments, **named)

    call.__name__ = function.__name__
    return call


def _around(function: Callable[..., Awaitable[None]], killer: Killer) -> Callable[..., Awaitable[None]]:
    async def call(*arguments: Any, **named: Any) -> None:
        killer.step()
        await function(*arguments, **named)
        killer.step()

    return call


async def _until_killed_or(bench: Bench, killer: Killer, done: asyncio.Future[None]) -> None:
    """Wait for the end of the work, or of the process; then start the next one."""
    async with asyncio.timeout(patient(60)):
        while not done.done() and not killer.has_killed:  # noqa: ASYNC110 # nobody tells
            await asyncio.sleep(0.005)
    killer.left = 0 if killer.has_killed else None
    done.cancel()
    with contextlib.suppress(asyncio.CancelledError, Killed, Exception):
        await done
    await bench.manager.close()
    killer.left = None
    await bench.restart()


@pytest.mark.parametrize("block", [False, True], ids=["filesystem", "block"])
@pytest.mark.parametrize("act", ["set up", "take down"])
async def test_a_successor_mends_what_a_kill_left(bench: Bench, killer: Killer, act: str, *, block: bool) -> None:
    bench.storage.bind(csi_volume(handle="h1", volume_mode="Block" if block else "Filesystem"))
    subject: Pod = pod_of("disk", block=block)
    for step in range(STEPS_MAX):
        if act == "take down":
            await bench.manager.wait_mounted(subject)
        killer.arm(step)
        work = bench.manager.wait_mounted(subject) if act == "set up" else bench.manager.release(subject)
        await _until_killed_or(bench, killer, asyncio.ensure_future(work))
        has_ended = not killer.has_killed
        if step % 2:  # the pod is still wanted
            await bench.manager.wait_mounted(subject)
            await bench.manager.release(subject)
        else:
            await bench.manager.retain(())
        await until(lambda: not bench.left())
        assert bench.manager.in_use() == ()
        if has_ended:
            assert step > (10 if act == "set up" else 5)
            return
    raise AssertionError("there is no end")
