"""Until recovery is done nothing is answered but UNAVAILABLE; afterwards everything is there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, eventually

pytestmark = [pytest.mark.root]

PODS = 30


async def _ask(cri: CriClient) -> Sequence[object]:
    """One call of each kind; the answers, or what was raised in their place."""
    stream = cri.stream(cri.runtime.StreamPodSandboxes, api.StreamPodSandboxesRequest())
    return await asyncio.gather(
        cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest()),
        cri.call(cri.images.ListImages, api.ListImagesRequest()),
        anext(stream),
        return_exceptions=True,
    )


async def test_nothing_is_answered_while_recovery_waits_for_a_runtime(hasty_node: Node, faulty: FaultyRuntime) -> None:
    node = hasty_node
    pod = await node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.kill(node.server, "after create")
    await asyncio.gather(pod.start(container), return_exceptions=True)
    faulty.commit("hang state")  # recovery asks, and gives up after this handler's seconds
    refused = False

    async def answered() -> bool:
        nonlocal refused
        async with node.server.client() as cri:
            outcomes = await _ask(cri)
        refused = refused or all("the runtime is starting" in str(outcome) for outcome in outcomes)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert all(isinstance(failure, Unavailable) for failure in failures), failures
        return not failures

    starting = asyncio.create_task(node.again())
    try:
        await eventually(answered, "the daemon is ready")
    finally:
        await starting
    assert refused
    faulty.behave()
    assert (await pod.status(container)).state == api.CONTAINER_CREATED
    await node.audited()
    await node.emptied()


@pytest.mark.slow
async def test_many_pods_survive(node: Node) -> None:
    """Each with a running container; none is lost, stopped, or without its network."""

    async def made() -> tuple[CasePod, str, api.PodSandboxStatus]:
        pod = await node.pod()
        container = await pod.run()
        return pod, container, await node.status(pod)

    before = await asyncio.gather(*(made() for _ in range(PODS)))
    for _ in range(2):
        await node.reborn()
        for pod, container, status in before:
            assert await node.status(pod) == status
            assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    outputs = await asyncio.gather(*(pod.exec(container, "hostname", "-i") for pod, container, _ in before))
    assert [output.exit_code for output in outputs] == [0] * PODS
    await node.audited()
    await node.emptied()
