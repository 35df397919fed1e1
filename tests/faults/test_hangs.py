"""OCI runtimes that hang, before they have done what was asked or after: a deadline, a clear error, nothing left."""

from __future__ import annotations

import asyncio

import pytest

from podwright.conformance.pods import DEAF
from podwright.conformance.streams import Speech, streamed_exec
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node

pytestmark = [pytest.mark.root]

SHARED_PID = api.NamespaceOption(pid=api.POD)


@pytest.mark.parametrize("fault", ["hang after create", "hang after start"])
async def test_a_start_that_was_done_but_never_answered(hasty_node: Node, faulty: FaultyRuntime, fault: str) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create(DEAF)
    faulty.commit(fault)
    with pytest.raises(DeadlineExceeded):
        await pod.start(container)
    status = await pod.status(container)
    assert (status.state, status.exit_code, status.reason) == (api.CONTAINER_EXITED, 128, "StartError")
    await hasty_node.audited()  # no process runs, though the runtime started one
    await hasty_node.emptied()


async def test_a_shared_pid_namespace_that_was_made_but_never_answered(
    hasty_node: Node, faulty: FaultyRuntime
) -> None:
    await hasty_node.pull()
    config = hasty_node.config(namespaces=SHARED_PID)
    faulty.commit("hang after run")
    making = asyncio.create_task(hasty_node.sandbox(config, HANDLER))
    await faulty.hangs("run")
    assert await hasty_node.listed() == []  # nor is it told of before it is READY
    with pytest.raises(DeadlineExceeded):
        await making
    assert await hasty_node.listed() == []
    await hasty_node.audited()
    faulty.behave()
    await hasty_node.sandbox(config, HANDLER)
    faulty.commit("hang after delete")
    await hasty_node.emptied()


@pytest.mark.parametrize("fault", ["hang exec", "hang after exec"])
async def test_a_command_without_a_deadline(hasty_node: Node, faulty: FaultyRuntime, fault: str) -> None:
    """The runtime's own deadline ends it."""
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.commit(fault)
    with pytest.raises(DeadlineExceeded, match=r"faulty exec \w+ hangs"):
        await pod.exec(container, "true", timeout=0)
    faulty.behave()
    assert (await pod.exec(container, "true")).exit_code == 0
    await hasty_node.audited()
    await hasty_node.emptied()


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("fault", ["hang exec", "hang after exec"])
async def test_a_streamed_command(hasty_node: Node, faulty: FaultyRuntime, fault: str, tty: bool) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.commit(fault)
    ended = await streamed_exec(pod, container, "true", speech=Speech(), tty=tty)
    assert ended.outcome.failure == "exec: the OCI runtime hangs"
    await hasty_node.audited()
    await hasty_node.emptied()


@pytest.mark.parametrize("handler", ["crun", HANDLER])
async def test_commands_that_take_their_time_do_not_hang(hasty_node: Node, handler: str) -> None:
    """They last for two of the runtime's deadlines."""
    pod = await hasty_node.pod(handler=handler)
    container = await pod.run()
    command = ("sh", "-c", "sleep 6; exit 4")
    answer, plain, terminal = await asyncio.gather(
        pod.exec(container, *command, timeout=0),
        streamed_exec(pod, container, *command, speech=Speech()),
        streamed_exec(pod, container, *command, speech=Speech(), tty=True),
    )
    assert (answer.exit_code, plain.outcome.exit_code, terminal.outcome.exit_code) == (4, 4, 4)
    await hasty_node.emptied()


async def test_a_pod_goes_away_while_commands_hang_in_it(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.commit("hang exec")
    asked = [asyncio.create_task(pod.exec(container, "true", timeout=0)) for _ in range(3)]
    await faulty.hangs("exec", 3)
    await hasty_node.remove(pod)
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, DeadlineExceeded)
    await hasty_node.audited()


async def test_what_hung_when_the_daemon_died_keeps_the_next_one_waiting_once(
    hasty_node: Node, faulty: FaultyRuntime
) -> None:
    """Sandboxes and containers are mended side by side, each by the runtime's one deadline."""
    pods = [await hasty_node.pod(handler=HANDLER) for _ in range(3)]
    containers = [await pod.create() for pod in pods]
    faulty.commit("hang after run")
    configs = [hasty_node.config(namespaces=SHARED_PID) for _ in range(3)]
    asked = [asyncio.ensure_future(hasty_node.sandbox(config, HANDLER)) for config in configs]
    await faulty.hangs("run", 3)
    faulty.commit("hang after create")
    asked += [asyncio.ensure_future(pod.start(one)) for pod, one in zip(pods, containers, strict=True)]  # type: ignore[arg-type] # nobody looks at the results
    await faulty.hangs("create", 3)
    hasty_node.server.kill9()
    await asyncio.gather(*asked, return_exceptions=True)
    faulty.commit("hang state delete")
    await hasty_node.again()
    assert {item.id for item in await hasty_node.listed()} == {pod.id for pod in pods}
    for pod, container in zip(pods, containers, strict=True):
        assert (await pod.status(container)).state in {api.CONTAINER_CREATED, api.CONTAINER_EXITED}
    faulty.behave()
    await hasty_node.audited()
    await hasty_node.emptied()
