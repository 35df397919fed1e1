"""`kill -9` of the daemon at exact steps: before, after and instead of each call of the OCI runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, eventually

pytestmark = [pytest.mark.root]

SHARED_PID = api.NamespaceOption(pid=api.POD)
Request = Callable[[Node, CasePod, str], Awaitable[object]]


async def _start(node: Node, pod: CasePod, container: str) -> None:
    await pod.start(container)


async def _exec(node: Node, pod: CasePod, container: str) -> None:
    assert (await pod.exec(container, "echo", "hello")).stdout == b"hello\n"


async def _remove(node: Node, pod: CasePod, container: str) -> None:
    request = api.RemoveContainerRequest(container_id=container)
    await node.cri.call(node.cri.runtime.RemoveContainer, request)


async def _killed(node: Node, asked: Awaitable[object], faulty: FaultyRuntime) -> None:
    """The request ends with the daemon, which comes back."""
    await asyncio.gather(asked, return_exceptions=True)
    assert not faulty.pending, "the runtime was not called"
    assert await asyncio.to_thread(node.server.process.kill9) == -9
    await node.again()


@pytest.mark.parametrize("step", ["before create", "instead of create", "after create", "before start", "after start"])
async def test_start_interrupted(faulty_node: Node, faulty: FaultyRuntime, step: str) -> None:
    pod = await faulty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.kill(faulty_node.server, step)
    await _killed(faulty_node, _start(faulty_node, pod, container), faulty)
    status = await pod.status(container)
    assert status.state in (api.CONTAINER_CREATED, api.CONTAINER_RUNNING)
    await faulty_node.audited()
    await pod.start(container)
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    assert (await pod.exec(container, "true")).exit_code == 0
    await faulty_node.emptied()


async def test_a_create_that_is_still_under_way_at_the_next_start(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.commit("hang create")
    asked = asyncio.ensure_future(pod.start(container))
    await faulty.hangs("create")
    await hasty_node.reborn()
    await asyncio.gather(asked, return_exceptions=True)
    faulty.behave()
    assert (await pod.status(container)).state == api.CONTAINER_CREATED
    await hasty_node.audited()
    await pod.start(container)
    assert (await pod.exec(container, "true")).exit_code == 0
    await hasty_node.emptied()


@pytest.mark.parametrize("step", ["before exec", "after exec"])
async def test_exec_interrupted(faulty_node: Node, faulty: FaultyRuntime, step: str) -> None:
    pod = await faulty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.kill(faulty_node.server, step)
    await _killed(faulty_node, _exec(faulty_node, pod, container), faulty)
    await _exec(faulty_node, pod, container)
    await faulty_node.emptied()


async def test_an_endless_exec_ends_with_the_daemon_that_ran_it(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run()
    asked = asyncio.ensure_future(pod.exec(container, "sh", "-c", "touch /up; sleep 4321 & sleep 4321", timeout=0))

    async def is_up() -> bool:
        return (await pod.exec(container, "test", "-e", "/up")).exit_code == 0

    await eventually(is_up, "the endless command runs")
    await node.reborn()
    await asyncio.gather(asked, return_exceptions=True)
    assert b"4321" not in (await pod.exec(container, "ps")).stdout
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    await node.emptied()


@pytest.mark.parametrize("step", ["before delete", "instead of delete", "after delete"])
async def test_removal_interrupted(faulty_node: Node, faulty: FaultyRuntime, step: str) -> None:
    pod = await faulty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.kill(faulty_node.server, step)
    await _killed(faulty_node, _remove(faulty_node, pod, container), faulty)
    await faulty_node.audited()
    await _remove(faulty_node, pod, container)
    assert not (
        await faulty_node.cri.call(faulty_node.cri.runtime.ListContainers, api.ListContainersRequest())
    ).containers
    await faulty_node.emptied()


@pytest.mark.parametrize("step", ["before run", "instead of run", "after run"])
async def test_a_sandbox_with_an_infra_container_interrupted(
    faulty_node: Node, faulty: FaultyRuntime, step: str
) -> None:
    await faulty_node.pull()
    config = faulty_node.config(namespaces=SHARED_PID)
    faulty.kill(faulty_node.server, step)
    await _killed(faulty_node, faulty_node.sandbox(config, HANDLER), faulty)
    assert await faulty_node.listed() == []
    await faulty_node.audited()
    pod = await faulty_node.sandbox(config, HANDLER)
    assert "pause" in await pod.output("ps", name="ps")
    await faulty_node.emptied()


@pytest.mark.parametrize("step", ["before run", "instead of run", "after run"])
async def test_sharing_the_pid_namespace_late_interrupted(faulty_node: Node, faulty: FaultyRuntime, step: str) -> None:
    """The pod began without an infra container; the first container that asks for the shared namespace starts it."""
    pod = await faulty_node.pod(handler=HANDLER)
    security = api.LinuxContainerSecurityContext(namespace_options=SHARED_PID)
    linux = api.LinuxContainerConfig(security_context=security)
    faulty.kill(faulty_node.server, step)
    await _killed(faulty_node, pod.create(name="shared", linux=linux), faulty)
    assert (await faulty_node.status(pod)).state == api.SANDBOX_READY
    await faulty_node.audited()
    container = await pod.create(name="shared", linux=linux)
    await pod.start(container)
    assert b"pause" in (await pod.exec(container, "ps")).stdout
    await faulty_node.emptied()
