"""Events of what no request asked for: ends, lost sandboxes, what happened while no daemon was there."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from podwright.conformance.cases.test_events import CREATED, DELETED, STARTED, STOPPED, listening
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable
from tests.faults.audit import records
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import UNTIL_TOLD, Node, gone, tell

pytestmark = [pytest.mark.root]

MANY = 25


async def test_a_sandbox_that_loses_its_first_process(node: Node) -> None:
    async with listening(node.server.endpoint) as ear:
        pod = await node.pod(namespaces=api.NamespaceOption(pid=api.POD))
        container = await pod.run()
        await ear.events(pod, 4)
        request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id, verbose=True)
        info = (await node.cri.call(node.cri.runtime.PodSandboxStatus, request)).info
        os.kill(json.loads(info["info"])["pid"], signal.SIGKILL)
        events = await ear.events(pod, 2)
    assert {(event.container_id, event.container_event_type) for event in events} == {
        (pod.id, STOPPED),
        (container, STOPPED),
    }
    assert events[-1].pod_sandbox_status.state == api.SANDBOX_NOTREADY
    assert [status.exit_code for status in events[-1].containers_statuses] == [137]
    await node.emptied()


async def test_the_first_listener_hears_what_happened_while_no_daemon_was_there(node: Node) -> None:
    pod = await node.pod()
    ended = await pod.run(("sh", "-c", f"{UNTIL_TOLD}; exit 3"))
    stays = await pod.run()
    record = records(node.server, "containers")[ended]
    node.server.kill9()
    tell(record["pid"])
    await gone(record["task"]["monitor_pid"])
    await node.again()
    async with listening(node.server.endpoint) as ear:
        [event] = await ear.events(pod, 1)
        assert (event.container_id, event.container_event_type) == (ended, STOPPED)
        states = {status.id: (status.state, status.exit_code) for status in event.containers_statuses}
        assert states == {ended: (api.CONTAINER_EXITED, 3), stays: (api.CONTAINER_RUNNING, 0)}
        await node.remove(pod)
        assert (await ear.events(pod, 4))[-1].container_event_type == DELETED
    await node.emptied()


async def test_an_adopted_start_is_told(faulty_node: Node, faulty: FaultyRuntime) -> None:
    """A kubelet whose request was not answered hears that the container runs all the same."""
    pod = await faulty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.kill(faulty_node.server, "after start")
    await asyncio.gather(pod.start(container), return_exceptions=True)
    await faulty_node.again()
    async with listening(faulty_node.server.endpoint) as ear:
        [event] = await ear.events(pod, 1)
    assert (event.container_id, event.container_event_type) == (container, STARTED)
    assert [status.state for status in event.containers_statuses] == [api.CONTAINER_RUNNING]
    await faulty_node.emptied()


async def test_listeners_do_not_keep_the_daemon_from_stopping(node: Node) -> None:
    async with listening(node.server.endpoint) as one, listening(node.server.endpoint) as two:
        pod = await node.pod()
        await one.events(pod, 2)
        stopped = await asyncio.to_thread(node.server.stop)
        assert stopped == 0
        for ear in (one, two):
            with pytest.raises(Unavailable, match="the runtime stops"):
                await ear.events(pod, 3)
    await node.again()
    await node.emptied()


async def test_many_pods_and_a_listener_that_does_not_read(node: Node) -> None:
    """Who listens hears all of each pod, in its order; who does not read keeps nobody waiting."""
    await node.pull()
    idle = node.server.client()
    unread = idle.stream(idle.runtime.GetContainerEvents, api.GetEventsRequest())
    begun = asyncio.ensure_future(anext(unread))
    async with listening(node.server.endpoint) as ear:

        async def life(number: int) -> CasePod:
            pod = await node.sandbox(node.config(annotations={"padding": "x" * 20_000}))
            await pod.run(("true",), name=f"c{number}")
            await pod.exited(pod.containers[0])
            await node.remove(pod)
            return pod

        pods = await asyncio.gather(*(life(number) for number in range(MANY)))
        heard = await ear.all_events(MANY * 8)
    for pod in pods:
        told = [(event.container_id, event.container_event_type) for event in heard if _is_of(event, pod)]
        assert told[:2] == [(pod.id, CREATED), (pod.id, STARTED)]
        assert told[2:5] == [(pod.containers[0], kind) for kind in (CREATED, STARTED, STOPPED)]
        assert told[5:] == [(pod.id, STOPPED), (pod.containers[0], DELETED), (pod.id, DELETED)]
    times = [event.created_at for event in heard]
    assert times == sorted(set(times))
    assert (await begun).container_event_type == CREATED
    await idle.close()
    await node.emptied()


def _is_of(event: api.ContainerEventResponse, pod: CasePod) -> bool:
    return event.pod_sandbox_status.metadata.uid == pod.config.metadata.uid
