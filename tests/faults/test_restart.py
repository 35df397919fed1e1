"""What goes on while no daemon is there: containers run, write, end and run out of memory; all of it is seen later."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable
from tests.faults.audit import records
from tests.faults.node import UNTIL_TOLD, Node, eventually, gone, tell

pytestmark = [pytest.mark.root]

COUNT = ("sh", "-c", "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n; usleep 500; done")
# Labels and annotations come back byte by byte: spaces, other scripts, quotes, nothing at all.
NOTES = {"plain": "x", "empty": "", "spaces": " \t two  ", "script": "päivää 漢字 \u202e", "quotes": "'\"\\{}\n\x01"}
GIGA = 1 << 30


def _memory(limit_bytes: int) -> api.LinuxContainerConfig:
    resources = api.LinuxContainerResources(memory_limit_in_bytes=limit_bytes)
    namespaces = api.NamespaceOption(pid=api.CONTAINER)
    return api.LinuxContainerConfig(
        resources=resources, security_context=api.LinuxContainerSecurityContext(namespace_options=namespaces)
    )


async def _away(node: Node, *, killed: bool) -> None:
    """The daemon ends."""
    if killed:
        node.server.kill9()
    else:
        assert await asyncio.to_thread(node.server.stop) == 0


def _pid_of(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return int(file.read())


def pid_file(node: Node, container: str) -> str:
    return f"{node.server.state}/containers/{container}/pidfile"


@pytest.mark.parametrize("killed", [False, True], ids=["SIGTERM", "SIGKILL"])
async def test_everything_is_as_it_was(node: Node, killed: bool) -> None:
    pod = await node.pod(labels=NOTES, annotations=NOTES, hostname="stays")
    container = await pod.run(COUNT, name="main", labels=NOTES, annotations=NOTES)
    created = await pod.create(name="created")
    before = [await node.status(pod), await pod.status(container), await pod.status(created)]
    pid = _pid_of(pid_file(node, container))
    for _ in range(2):
        await _away(node, killed=killed)
        await asyncio.sleep(0.1)
        await node.again()
        assert [await node.status(pod), await pod.status(container), await pod.status(created)] == before
        assert dict((await pod.status(container)).annotations) == NOTES
        assert (await pod.exec(container, "hostname")).stdout == b"stays\n"
        os.kill(pid, 0)
    await pod.stop(container)
    ended = await pod.status(container)
    assert (ended.exit_code, ended.reason) == (0, "Completed")
    lines = pod.text(container, ended).splitlines()
    assert lines == [f"line {number}" for number in range(1, len(lines) + 1)]
    await pod.start(created)
    await node.emptied()


async def test_a_log_is_reopened_after_a_restart(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run(COUNT, name="main")
    await node.reborn()
    status = await pod.status(container)
    os.rename(status.log_path, f"{status.log_path}.1")
    request = api.ReopenContainerLogRequest(container_id=container)
    await node.cri.call(node.cri.runtime.ReopenContainerLog, request)
    await pod.stop(container)
    with open(f"{status.log_path}.1", encoding="utf-8") as first, open(status.log_path, encoding="utf-8") as second:
        numbers = [int(line.rpartition(" ")[2]) for line in first.read().splitlines() + second.read().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    await node.emptied()


@pytest.mark.parametrize("killed", [False, True], ids=["SIGTERM", "SIGKILL"])
async def test_containers_that_end_meanwhile(node: Node, killed: bool) -> None:
    deeds = {"exit 0": (0, "Completed"), "exit 42": (42, "Error"), "kill -9 $$; usleep 1": (137, "Error")}
    pod = await node.pod()
    containers = {}
    for number, deed in enumerate(deeds):
        # PID 1 takes no signal from inside its own namespace, so the deed is done by another shell.
        script = f"{UNTIL_TOLD}; sh -c '{deed}'; exit $?"
        container = await pod.run(("sh", "-c", script), name=f"end{number}")
        containers[container] = deeds[deed]
    made = [records(node.server, "containers")[container] for container in containers]
    await _away(node, killed=killed)
    for each in made:
        tell(each["pid"])
    await gone(*(each["task"]["monitor_pid"] for each in made))  # which have written down when it was
    before = time.time_ns()
    await node.again()
    for container, end in containers.items():
        status = await pod.exited(container)
        assert (status.exit_code, status.reason) == end
        assert status.started_at < status.finished_at < before
    await node.audited()
    await node.emptied()


async def test_a_container_that_runs_out_of_memory_meanwhile(node: Node) -> None:
    pod = await node.pod()
    eat = f"{UNTIL_TOLD}; x=x; while :; do x=$x$x$x$x; done"
    container = await pod.run(("sh", "-c", eat), name="main", linux=_memory(16 << 20))
    record = records(node.server, "containers")[container]
    node.server.kill9()
    tell(record["pid"])
    await gone(record["task"]["monitor_pid"])
    await node.again()
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")
    await node.emptied()


async def test_stop_signals_of_a_container_found_again(node: Node) -> None:
    pod = await node.pod()
    catch = "trap 'echo caught; exit 5' TERM; echo up; while :; do usleep 10000; done"
    container = await pod.run(("sh", "-c", catch), name="main")
    await _written(pod, container)
    await node.reborn()
    await pod.stop(container, timeout=5)
    status = await pod.status(container)
    assert (status.exit_code, status.reason) == (5, "Error")
    assert pod.text(container, status) == "up\ncaught\n"
    await node.emptied()


async def test_a_stop_that_was_waiting_goes_on_when_asked_again(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run(("sh", "-c", "trap '' TERM; echo up; while :; do usleep 10000; done"), name="main")
    await _written(pod, container)
    asked = asyncio.ensure_future(pod.stop(container, timeout=60))
    await asyncio.sleep(0.1)
    node.server.kill9()
    with pytest.raises(Unavailable):
        await asked
    await node.again()
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    await pod.stop(container, timeout=0)
    assert (await pod.status(container)).exit_code == 128 + signal.SIGKILL
    await node.emptied()


async def _written(pod: CasePod, container: str) -> None:
    status = await pod.status(container)

    async def wrote() -> bool:
        return bool(pod.text(container, status))

    await eventually(wrote, "the container writes")
