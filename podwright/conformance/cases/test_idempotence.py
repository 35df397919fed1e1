"""Requests that come twice, because a client lost patience: the kubelet repeats until it has an answer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import SLEEP, WAIT_S, CasePod, RunPod, remove_pod, sandbox_config
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists, DeadlineExceeded, NotFound, PodwrightError, Unknown

PATIENCE_S = 0.004  # less than any runtime needs for a sandbox or a start
RESERVED = pytest.mark.deviates("containerd", "the name is reserved: a retry fails while the first request goes on")


async def _run(peer: CriPeer, config: api.PodSandboxConfig, timeout_s: float | None = 60.0) -> str:
    request = api.RunPodSandboxRequest(config=config)
    return (await peer.client.call(peer.client.runtime.RunPodSandbox, request, timeout_s)).pod_sandbox_id


async def _listed(peer: CriPeer, config: api.PodSandboxConfig) -> list[str]:
    answer = await peer.client.call(peer.client.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return [item.id for item in answer.items if item.metadata == config.metadata]


@pytest.mark.deviates("cri-o", "a request that meets one in flight waits for its own deadline", run=False)
@RESERVED
async def test_a_sandbox_whose_first_caller_gave_up(cri_server: CriPeer) -> None:
    config = sandbox_config(cri_server)
    for _ in range(3):
        with contextlib.suppress(DeadlineExceeded):  # the later ones may find it ready
            await _run(cri_server, config, PATIENCE_S)
    sandbox_id = await _run(cri_server, config)
    assert await _listed(cri_server, config) == [sandbox_id]
    await remove_pod(cri_server.client, sandbox_id)
    assert await _listed(cri_server, config) == []


@pytest.mark.deviates("cri-o", "a request that meets one in flight waits for its own deadline", run=False)
@RESERVED
async def test_a_container_whose_first_caller_gave_up(pod: CasePod) -> None:
    config = api.ContainerConfig(metadata=api.ContainerMetadata(name="main"), image=pod.image_spec, command=SLEEP)
    for _ in range(3):
        first = asyncio.create_task(pod.create_from(config), name="first create")
        await asyncio.sleep(0.001)
        first.cancel()
    container_id = await pod.create_from(config)
    listed = await pod.cri.call(
        pod.cri.runtime.ListContainers, api.ListContainersRequest(filter=api.ContainerFilter(pod_sandbox_id=pod.id))
    )
    assert [container.id for container in listed.containers] == [container_id]
    await pod.start(container_id)


@pytest.mark.deviates("cri-o", "the second one hears that it has started already")
@RESERVED
async def test_a_start_whose_first_caller_gave_up(pod: CasePod) -> None:
    """The second one, who came meanwhile, hears how it went."""
    container_id = await pod.create()
    request = api.StartContainerRequest(container_id=container_id)
    _, second = await asyncio.gather(
        pod.cri.call(pod.cri.runtime.StartContainer, request, PATIENCE_S),
        pod.cri.call(pod.cri.runtime.StartContainer, request),
        return_exceptions=True,
    )
    assert isinstance(second, api.StartContainerResponse)
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "a start ends with its caller", run=False)
async def test_a_start_whose_answer_was_lost(cri_server: CriPeer, pod: CasePod) -> None:
    """Who asks again when it is over hears so, and the program runs once."""
    container_id = await pod.create(("sh", "-c", "echo ready; exec sleep 1000"))
    async with CriClient(cri_server.endpoint) as lost:
        request = api.StartContainerRequest(container_id=container_id)
        async with asyncio.timeout(WAIT_S):
            while (before := await pod.status(container_id)).state != api.CONTAINER_RUNNING:
                with contextlib.suppress(PodwrightError):  # the deadline may pass before the request is on its way
                    await lost.call(lost.runtime.StartContainer, request, PATIENCE_S)
    with pytest.raises(PodwrightError, match="started already"):
        await pod.start(container_id)
    assert await pod.status(container_id) == before
    assert pod.log(container_id).count("ready") <= 1  # it may not have come to its first word yet


@pytest.mark.deviates("cri-o", "a request that meets one in flight waits for its own deadline", run=False)
@RESERVED
async def test_one_name_for_two_sandboxes(cri_server: CriPeer) -> None:
    """At once and later: who asks for something else under the name is told so, and gets nothing of the other's."""
    config = sandbox_config(cri_server)
    other = api.PodSandboxConfig()
    other.CopyFrom(config)
    other.labels["other"] = "yes"
    answers = await asyncio.gather(_run(cri_server, config), _run(cri_server, other), return_exceptions=True)
    made = [answer for answer in answers if isinstance(answer, str)]
    assert len(made) == 1
    assert [type(answer) for answer in answers if not isinstance(answer, str)] == [AlreadyExists]
    with pytest.raises(AlreadyExists):
        await _run(cri_server, other if answers[0] == made[0] else config)
    await remove_pod(cri_server.client, made[0])


@pytest.mark.deviates("cri-o", "a request that meets one in flight waits for its own deadline", run=False)
@pytest.mark.deviates("containerd", "the name is reserved")
async def test_one_name_for_two_containers(pod: CasePod) -> None:
    def config(word: str) -> api.ContainerConfig:
        return api.ContainerConfig(
            metadata=api.ContainerMetadata(name="main"), image=pod.image_spec, command=["echo", word]
        )

    answers = await asyncio.gather(*(pod.create_from(config(word)) for word in ("one", "two")), return_exceptions=True)
    made = [answer for answer in answers if isinstance(answer, str)]
    assert len(made) == 1
    assert [type(answer) for answer in answers if not isinstance(answer, str)] == [AlreadyExists]


async def test_a_failed_sandbox_leaves_its_name_free(cri_server: CriPeer) -> None:
    config = sandbox_config(cri_server, sysctls={"net.ipv4.ip_forward": "not a number"})
    with pytest.raises(PodwrightError):
        await _run(cri_server, config)
    assert await _listed(cri_server, config) == []
    del config.linux.sysctls["net.ipv4.ip_forward"]
    sandbox_id = await _run(cri_server, config)
    await remove_pod(cri_server.client, sandbox_id)


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_a_failed_create_leaves_its_name_free(pod: CasePod) -> None:
    with pytest.raises(NotFound):
        await pod.create(name="main", image=api.ImageSpec(image="registry.invalid/nothing:1"))
    assert await pod.output("echo", "fine", name="main") == "fine\n"


@pytest.mark.deviates("containerd", "one of several stops at once may not find the interface any more", raises=Unknown)
async def test_stops_and_removals_at_once(run_pod: RunPod) -> None:
    async with run_pod() as pod:
        container_id = await pod.run()
        stop = api.StopPodSandboxRequest(pod_sandbox_id=pod.id)
        await asyncio.gather(
            *(pod.cri.call(pod.cri.runtime.StopPodSandbox, stop) for _ in range(3)),
            *(pod.stop(container_id, timeout=0) for _ in range(3)),
        )
        assert (await pod.status(container_id)).state == api.CONTAINER_EXITED
        remove = api.RemovePodSandboxRequest(pod_sandbox_id=pod.id)
        await pod.cri.call(pod.cri.runtime.RemovePodSandbox, remove)
        await pod.cri.call(pod.cri.runtime.RemovePodSandbox, remove)
        with pytest.raises(NotFound):
            await pod.status(container_id)
