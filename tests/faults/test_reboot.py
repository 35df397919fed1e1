"""The host is booted anew, or a pod is killed from outside: records are mended, and StartPodSandbox brings it back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, NotFound
from podwright.linux.mount import read_mounts, unmount
from tests.faults.audit import records
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, gone

pytestmark = [pytest.mark.root]

OWN_PID = api.NamespaceOption(pid=api.CONTAINER)
SHARED_PID = api.NamespaceOption(pid=api.POD)


async def start_pod(node: Node, pod: CasePod) -> None:
    request = api.StartPodSandboxRequest(pod_sandbox_id=pod.id)
    await node.cri.call(node.cri.runtime.StartPodSandbox, request)


async def stop_pod(node: Node, pod: CasePod) -> None:
    request = api.StopPodSandboxRequest(pod_sandbox_id=pod.id)
    await node.cri.call(node.cri.runtime.StopPodSandbox, request)


async def addresses(node: Node, pod: CasePod) -> list[str]:
    network = (await node.status(pod)).network
    return [network.ip, *(address.ip for address in network.additional_ips)]


async def reboot(node: Node, *, state_is_on_disk: bool = False) -> None:
    """What a boot takes away goes: processes with their cgroups, mounts, and the tmpfs of the state directory."""
    server = node.server
    tasks = [record.get("task", {}) for record in records(server, "containers").values()]
    pids = [task[key] for task in tasks for key in ("pid", "monitor_pid") if key in task]
    pids += [record["pid"] for record in records(server, "sandboxes").values() if record.get("pid")]
    server.kill9()
    for pid in filter(None, pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await gone(*filter(None, pids))
    for mount in reversed(read_mounts()):
        if mount.target.startswith((f"{server.state}/", f"{server.root}/")):
            unmount(mount.target)
    if not state_is_on_disk:
        shutil.rmtree(server.state)
    with contextlib.closing(sqlite3.connect(server.root / "state.db")) as connection, connection:
        connection.execute("UPDATE boots SET record = ?", (b'{"id": "an earlier one"}',))
    await node.again()


@pytest.mark.parametrize("namespaces", [OWN_PID, SHARED_PID], ids=["without a process", "with a first process"])
@pytest.mark.parametrize("state_is_on_disk", [False, True], ids=["state on tmpfs", "state on disk"])
async def test_a_pod_comes_back_after_a_reboot(
    node: Node, namespaces: api.NamespaceOption, state_is_on_disk: bool
) -> None:
    pod = await node.pod(hostname="stays", namespaces=namespaces)
    other = await node.pod()
    running, created = await pod.run(name="running"), await pod.create(name="created")
    before = [await addresses(node, pod), await addresses(node, other)]
    await reboot(node, state_is_on_disk=state_is_on_disk)
    assert (await node.status(pod)).state == api.SANDBOX_NOTREADY
    for container in (running, created):
        status = await pod.exited(container)
        assert status.finished_at > status.created_at
        if not state_is_on_disk:
            assert (status.exit_code, status.reason) == (255, "Unknown")
    with pytest.raises(FailedPrecondition, match="is not ready"):
        await pod.create(name="early")

    await start_pod(node, other)
    await start_pod(node, pod)
    assert [await addresses(node, pod), await addresses(node, other)] == before
    assert (await node.status(pod)).state == api.SANDBOX_READY
    await start_pod(node, pod)  # again: nothing to do
    container = await pod.run(name="running", attempt=1)
    assert (await pod.exec(container, "hostname")).stdout == b"stays\n"
    assert before[0][0].encode() in (await pod.exec(container, "ip", "address")).stdout
    await node.audited()
    await node.reborn()
    assert (await node.status(pod)).state == api.SANDBOX_READY
    assert (await pod.exec(container, "true")).exit_code == 0
    await node.emptied()


async def test_a_kubelet_makes_a_new_pod_after_a_reboot(node: Node) -> None:
    """The next attempt has the address, too: the old one is stopped first."""
    pod = await node.pod()
    before = await addresses(node, pod)
    await reboot(node)
    await stop_pod(node, pod)
    config = api.PodSandboxConfig()
    config.CopyFrom(pod.config)
    config.metadata.attempt = 1
    again = await node.sandbox(config)
    assert await addresses(node, again) == before
    await node.emptied()


async def test_numbers_of_processes_mean_nothing_after_a_reboot(node: Node) -> None:
    """Number and start time may be those of an earlier life: the containers on record are gone all the same."""
    pod = await node.pod(namespaces=SHARED_PID)
    container = await pod.run()
    node.server.kill9()
    with contextlib.closing(sqlite3.connect(node.server.root / "state.db")) as connection, connection:
        connection.execute("UPDATE boots SET record = ?", (b'{"id": "an earlier one"}',))
    await node.again()
    assert (await node.status(pod)).state == api.SANDBOX_NOTREADY
    assert (await pod.exited(container)).exit_code in (137, 255)  # its monitor, still there, may tell of our kill
    await node.emptied()


async def test_a_pod_whose_first_process_was_killed(node: Node) -> None:
    pod = await node.pod(namespaces=SHARED_PID)
    killed, created = await pod.run(name="killed"), await pod.create(name="created")
    before = await addresses(node, pod)
    infra = records(node.server, "sandboxes")[pod.id]["pid"]
    os.kill(infra, signal.SIGKILL)
    await pod.exited(killed)
    await start_pod(node, pod)
    assert await addresses(node, pod) == before
    status = await pod.status(created)
    assert (status.state, status.exit_code, status.reason) == (api.CONTAINER_EXITED, 255, "Unknown")
    assert "not started yet" in status.message
    assert "pause" in await pod.output("ps", name="again")
    await node.audited()
    await node.emptied()


async def test_namespaces_that_somebody_unmounted(node: Node) -> None:
    """Nobody has told the daemon; containers still live in what nothing names any more."""
    pod = await node.pod()
    container = await pod.run()
    before = await addresses(node, pod)
    unmount(f"{node.server.state}/sandboxes/{pod.id}/netns")
    await start_pod(node, pod)
    assert (await pod.status(container)).state == api.CONTAINER_EXITED
    assert await addresses(node, pod) == before
    await pod.run(name="again")
    await node.audited()
    await node.emptied()


async def test_a_pod_that_was_stopped(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run()
    before = await addresses(node, pod)
    for _ in range(2):
        await asyncio.gather(*(stop_pod(node, pod) for _ in range(3)))
        assert (await node.status(pod)).state == api.SANDBOX_NOTREADY
        await asyncio.gather(*(start_pod(node, pod) for _ in range(3)))
        assert await addresses(node, pod) == before
    assert (await pod.status(container)).state == api.CONTAINER_EXITED
    await node.emptied()


async def test_starts_stops_and_removals_at_once(node: Node) -> None:
    pod = await node.pod()
    for _ in range(5):
        await asyncio.gather(stop_pod(node, pod), start_pod(node, pod), stop_pod(node, pod), start_pod(node, pod))
    await stop_pod(node, pod)
    await asyncio.gather(start_pod(node, pod), node.remove(pod), return_exceptions=True)
    assert await node.listed() == []
    with pytest.raises(NotFound):
        await start_pod(node, pod)
    await node.emptied()


async def test_a_start_that_fails_can_be_repeated(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER, namespaces=SHARED_PID)
    before = await addresses(hasty_node, pod)
    await stop_pod(hasty_node, pod)
    for fault in ("fail run", "hang run"):
        faulty.commit(fault)
        with pytest.raises(Exception, match="run"):
            await start_pod(hasty_node, pod)
        assert (await hasty_node.status(pod)).state == api.SANDBOX_NOTREADY
        await hasty_node.audited()
    faulty.behave()
    await start_pod(hasty_node, pod)
    assert await addresses(hasty_node, pod) == before
    await hasty_node.emptied()


@pytest.mark.parametrize("step", ["before run", "instead of run", "after run"])
async def test_a_start_that_a_kill_interrupted(faulty_node: Node, faulty: FaultyRuntime, step: str) -> None:
    pod = await faulty_node.pod(handler=HANDLER, namespaces=SHARED_PID)
    before = await addresses(faulty_node, pod)
    await stop_pod(faulty_node, pod)
    faulty.kill(faulty_node.server, step)
    await asyncio.gather(start_pod(faulty_node, pod), return_exceptions=True)
    assert await asyncio.to_thread(faulty_node.server.process.kill9) == -9
    await faulty_node.again()
    assert (await faulty_node.status(pod)).state == api.SANDBOX_NOTREADY
    await faulty_node.audited()
    await start_pod(faulty_node, pod)
    assert await addresses(faulty_node, pod) == before
    assert "pause" in await pod.output("ps", name="ps")
    await faulty_node.emptied()


async def test_a_handler_that_is_configured_no_more(faulty_node: Node) -> None:
    pod = await faulty_node.pod(handler=HANDLER)
    await stop_pod(faulty_node, pod)
    text = faulty_node.server.config.read_text()
    faulty_node.server.config.write_text(text.replace(f'"{HANDLER}"]', '"renamed"]'))
    await faulty_node.again()
    with pytest.raises(FailedPrecondition, match="runtime handler 'faulty' is not configured"):
        await start_pod(faulty_node, pod)
    await faulty_node.emptied()
