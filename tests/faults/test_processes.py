"""Somebody kills what the daemon relies on: the monitor of a container, the first process of a pod, namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition
from podwright.linux.mount import read_mounts, unmount
from tests.faults.audit import records
from tests.faults.node import Node, eventually, gone

pytestmark = [pytest.mark.root]

MARK = f"543{os.getpid()}"  # in the host's PID namespace there may be others' commands
FAMILY = ("sh", "-c", "sleep 5432 & setsid sleep 5432 & trap '' TERM; while :; do sleep 0.1; done")


def _pids(node: Node, container: str) -> tuple[int, int]:
    """(monitor, first process)."""
    record = records(node.server, "containers")[container]
    return record["task"]["monitor_pid"], record["pid"]


@pytest.mark.parametrize("while_down", [False, True], ids=["daemon there", "daemon away"])
async def test_monitor_killed(node: Node, while_down: bool) -> None:
    pod = await node.pod()
    container = await pod.run(FAMILY)
    monitor, first = _pids(node, container)
    if while_down:
        node.server.kill9()
    before = time.time_ns()
    os.kill(monitor, signal.SIGKILL)
    if while_down:
        await node.again()
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (255, "Unknown")
    assert before <= status.finished_at <= time.time_ns()
    await gone(first)
    await node.audited()
    await node.emptied()


@pytest.mark.parametrize("while_down", [False, True], ids=["daemon there", "daemon away"])
async def test_first_process_of_a_shared_pid_namespace_killed(node: Node, while_down: bool) -> None:
    pod = await node.pod(namespaces=api.NamespaceOption(pid=api.POD))
    container = await pod.run()
    infra = records(node.server, "sandboxes")[pod.id]["pid"]
    if while_down:
        node.server.kill9()
    os.kill(infra, signal.SIGKILL)
    if while_down:
        await node.again()

    async def not_ready() -> bool:
        return (await node.status(pod)).state == api.SANDBOX_NOTREADY

    await eventually(not_ready, "the sandbox is NOTREADY")
    assert (await pod.exited(container)).exit_code == 128 + signal.SIGKILL  # the kernel ends the namespace
    with pytest.raises(FailedPrecondition, match="not ready"):
        await pod.create(name="late")
    await node.emptied()


async def test_first_process_of_a_container_killed(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run(FAMILY)
    os.kill(_pids(node, container)[1], signal.SIGKILL)
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (137, "Error")
    await node.emptied()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of the daemon's."""
    process = subprocess.Popen(["sleep", "100"])
    yield process
    process.kill()
    process.wait()


async def _ended_while_no_daemon_was_there(node: Node) -> tuple[CasePod, str]:
    """A pod and its container, killed with its monitor gone; the daemon is still away."""
    pod = await node.pod()
    container = await pod.run()
    monitor, first = _pids(node, container)
    node.server.kill9()
    os.kill(first, signal.SIGKILL)
    await gone(monitor)
    return pod, container


def _rewrite(node: Node, container: str, **changes: Any) -> None:
    """Change the container's record."""
    record = records(node.server, "containers")[container] | changes
    with contextlib.closing(sqlite3.connect(node.server.root / "state.db")) as connection, connection:
        connection.execute("UPDATE containers SET record = ? WHERE id = ?", (json.dumps(record).encode(), container))


async def test_pids_that_belong_to_others_by_now(node: Node, stranger: subprocess.Popen[bytes]) -> None:
    """After a reboot the numbers on record are somebody else's; nobody may be killed for that."""
    pod, container = await _ended_while_no_daemon_was_there(node)
    _rewrite(node, container, pid=stranger.pid, task={"monitor_pid": stranger.pid, "pid": stranger.pid})
    await node.again()
    assert (await pod.exited(container)).exit_code == 137
    await pod.stop(container, timeout=0)
    await node.emptied()
    assert stranger.poll() is None


@pytest.mark.parametrize("while_down", [False, True], ids=["same daemon", "found again"])
async def test_a_monitor_that_hangs(node: Node, while_down: bool) -> None:
    """It does not see the end of its container, which is known all the same; the pod goes away."""
    pod = await node.pod()
    container = await pod.run(FAMILY)
    monitor, first = _pids(node, container)
    os.kill(monitor, signal.SIGSTOP)
    if while_down:
        await node.reborn()
    await asyncio.gather(*(pod.stop(container, timeout=timeout) for timeout in (600, 1, 0)))
    status = await pod.status(container)
    assert (status.exit_code, status.reason) == (137, "Error")
    await gone(monitor, first)
    assert (await pod.output("echo", "fine", name="other")) == "fine\n"
    await node.audited()
    await node.emptied()


@pytest.mark.parametrize("mode", [api.POD, api.NODE], ids=["the pod's", "the host's"])
async def test_orphans_do_not_outlive_the_first_process_by_their_monitors_patience(
    node: Node, mode: api.NamespaceMode
) -> None:
    """A monitor that is busy with their output, or stands still, keeps none of them alive."""
    pod = await node.pod(namespaces=api.NamespaceOption(pid=mode))
    watcher = await pod.run(name="watcher")
    container = await pod.run(("sh", "-c", f"setsid sleep {MARK}3 & exec sleep {MARK}4"), name="main")
    monitor, first = _pids(node, container)

    async def runs() -> bool:
        return f"sleep {MARK}3" in (await pod.exec(watcher, "ps", "-o", "args")).stdout.decode()

    async def is_gone() -> bool:
        return not await runs()

    await eventually(runs, "the child runs")
    os.kill(monitor, signal.SIGSTOP)
    try:
        os.kill(first, signal.SIGKILL)
        await eventually(is_gone, "the orphan ends")
    finally:
        os.kill(monitor, signal.SIGCONT)
    assert (await pod.exited(container)).exit_code == 137
    await node.emptied()


async def test_a_stop_takes_nobody_elses_number(node: Node, stranger: subprocess.Popen[bytes]) -> None:
    """The container ended while no daemon was there; a stop that comes at once must not hit who has its number now."""
    pod, container = await _ended_while_no_daemon_was_there(node)
    _rewrite(node, container, pid=stranger.pid)
    await node.again()
    await asyncio.gather(pod.stop(container, timeout=5), pod.stop(container, timeout=0))
    assert (await pod.status(container)).exit_code == 137
    assert stranger.poll() is None
    await node.emptied()


async def test_namespaces_lost_as_in_a_reboot(node: Node) -> None:
    pod, container = await _ended_while_no_daemon_was_there(node)
    for pin in ("netns", "ipcns", "utsns", "shm"):
        unmount(f"{node.server.state}/sandboxes/{pod.id}/{pin}")
    await node.again()
    assert (await node.status(pod)).state == api.SANDBOX_NOTREADY
    assert (await pod.exited(container)).exit_code == 137
    await node.emptied()


async def test_state_directory_lost_as_in_a_reboot(node: Node) -> None:
    """The state directory is on a tmpfs: after a reboot only the records and the containers' own files are there."""
    pod, container = await _ended_while_no_daemon_was_there(node)
    state = node.server.state
    for mount in reversed(read_mounts()):
        if mount.target.startswith(f"{state}/"):
            unmount(mount.target)
    shutil.rmtree(state)
    await node.again()
    assert (await node.status(pod)).state == api.SANDBOX_NOTREADY
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (255, "Unknown")
    await node.audited()
    other = await node.sandbox(node.config())
    assert await other.output("echo", "fine", name="main") == "fine\n"
    await node.emptied()
