"""A daemon that can open nothing more for a while: what ends meanwhile is seen, late but right."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from tests.faults.audit import records
from tests.faults.node import Node, eventually, gone

pytestmark = [pytest.mark.root]

FORKS = ("sh", "-c", "trap 'exit 3' TERM; sleep 1000 & echo ready; while :; do sleep 0.1; done")


@contextlib.contextmanager
def no_descriptors(pid: int) -> Iterator[None]:
    """Within the context every open of that process fails with EMFILE; what is open already stays so."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("mode", [api.CONTAINER, api.POD, api.NODE], ids=["container", "pod", "node"])
async def test_a_container_that_ends_when_no_file_can_be_opened(node: Node, mode: api.NamespaceMode) -> None:
    """Whoever has the PID namespace: with one that is shared, what the first process leaves goes with it."""
    namespaces = api.NamespaceOption(pid=mode)
    pod = await node.pod(namespaces=namespaces)
    container_id = await pod.run_ready(FORKS)
    record = records(node.server, "containers")[container_id]
    with no_descriptors(node.server.process.pid):
        os.kill(record["pid"], signal.SIGTERM)
        await gone(record["pid"])
        if mode is api.CONTAINER:
            await gone(record["task"]["monitor_pid"])  # the daemon has reaped it, and knows
    status = await pod.exited(container_id)
    assert (status.exit_code, status.reason) == (3, "Error")
    await gone(record["task"]["monitor_pid"])
    await node.emptied()


async def test_a_stop_when_no_file_can_be_opened(node: Node) -> None:
    """It may fail, and succeeds later; a monitor whose end nobody saw is no reason to kill anything."""
    pod = await node.pod()
    container_id, other_id = await pod.run_ready(FORKS), await pod.run_ready(FORKS)
    with no_descriptors(node.server.process.pid), contextlib.suppress(Exception):
        await pod.stop(container_id, timeout=1)
    await pod.stop(container_id)
    assert (await pod.status(container_id)).exit_code == 3
    assert (await pod.status(other_id)).state == api.CONTAINER_RUNNING
    await node.emptied()


async def test_the_first_process_of_a_shared_namespace_ends_when_no_file_can_be_opened(node: Node) -> None:
    pod = await node.pod(namespaces=api.NamespaceOption(pid=api.POD))
    await pod.run_ready(FORKS)
    infra = records(node.server, "sandboxes")[pod.id]["pid"]
    with no_descriptors(node.server.process.pid):
        os.kill(infra, signal.SIGKILL)
        await gone(infra)

    async def is_not_ready() -> bool:
        return (await node.status(pod)).state == api.SANDBOX_NOTREADY

    await eventually(is_not_ready, "the sandbox is not ready any more")
    await _all_exited(pod)
    await node.emptied()


async def _all_exited(pod: CasePod) -> None:
    for container_id in pod.containers:
        assert (await pod.exited(container_id)).exit_code == 137
