"""A node full of pods loses its daemon while more are being started; the next one sees to all of them at once."""

from __future__ import annotations

import asyncio

import pytest

from podwright.conformance.patience import patient
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError, Unavailable
from tests.faults.node import Node, eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]

RUNNING, STARTING = 20, 12
AT_ONCE = 4
ASK_AGAIN_S = 0.002
GIVE_UP_S = patient(60.0)


async def _run(node: Node, slots: asyncio.Semaphore) -> str:
    async with slots:
        pod = await node.sandbox(node.config())
        return await pod.run(("sleep", "86400"), name="main")


async def _fill(node: Node, count: int, at_once: int) -> set[str]:
    slots = asyncio.Semaphore(at_once)
    return set(await asyncio.gather(*(_run(node, slots) for _ in range(count))))


async def _containers(cri: CriClient) -> dict[str, api.Container]:
    listed = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())
    return {container.id: container for container in listed.containers}


async def _first_answer(node: Node) -> tuple[dict[str, api.Container], set[type[PodwrightError]]]:
    """What the daemon says of its containers when it says anything, and how it refused until then."""
    refusals: set[type[PodwrightError]] = set()
    async with asyncio.timeout(GIVE_UP_S):
        while True:
            async with node.server.client() as cri:  # one that has failed waits before it connects again
                try:
                    return await _containers(cri), refusals
                except PodwrightError as refusal:
                    refusals.add(type(refusal))
            await asyncio.sleep(ASK_AGAIN_S)


async def _more_pods(node: Node) -> bool:
    return len(node.pods) > RUNNING


async def test_a_full_node_is_whole_when_it_answers(node: Node) -> None:
    await node.pull()
    running = await _fill(node, RUNNING, AT_ONCE)
    starting = asyncio.ensure_future(_fill(node, STARTING, STARTING))
    # Then some sandboxes are ready, others and the first containers are being made.
    await eventually(lambda: _more_pods(node), "more pods are started")
    node.server.kill9()
    with pytest.raises(Unavailable):
        await starting
    again = asyncio.ensure_future(asyncio.to_thread(node.server.start))
    try:
        told, refusals = await _first_answer(node)
    finally:
        await again
    await node.again()
    assert refusals == {Unavailable}
    assert {told[key].state for key in running} == {api.CONTAINER_RUNNING}
    pods = {pod.id for pod in await node.listed()}
    assert pods >= {pod.id for pod in node.pods}
    for pod in pods:  # also those that were made, but whose answer was lost
        await node.cri.call(node.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod))
        await node.cri.call(node.cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=pod))
    node.pods.clear()
    await node.emptied()
