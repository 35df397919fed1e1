"""The streamed lists: what their unary twins answer, in messages of a bounded size, and none for nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api

BATCH_LIMIT = 5000

pytestmark = pytest.mark.deviates("containerd", "1.6 came before the RPCs")


async def _gathered(stream: AsyncIterator[Any], field: str) -> list[Any]:
    found: list[Any] = []
    async for message in stream:
        batch = getattr(message, field)
        assert 0 < len(batch) <= BATCH_LIMIT
        found += batch
    assert len({item.id for item in found}) == len(found)
    return found


async def _sandboxes(pod: CasePod, **wanted: Any) -> list[str]:
    """The ids that both twins give."""
    cri, wish = pod.cri, api.PodSandboxFilter(**wanted)
    unary = (await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest(filter=wish))).items
    stream = cri.stream(cri.runtime.StreamPodSandboxes, api.StreamPodSandboxesRequest(filter=wish))
    assert list(unary) == await _gathered(stream, "pod_sandboxes")
    return [item.id for item in unary]


async def _containers(pod: CasePod, **wanted: Any) -> list[str]:
    cri, wish = pod.cri, api.ContainerFilter(**wanted)
    unary = (await cri.call(cri.runtime.ListContainers, api.ListContainersRequest(filter=wish))).containers
    stream = cri.stream(cri.runtime.StreamContainers, api.StreamContainersRequest(filter=wish))
    assert list(unary) == await _gathered(stream, "containers")
    return [item.id for item in unary]


@pytest.mark.deviates("cri-o", "its lists have no order")
async def test_sandboxes(run_pod: RunPod) -> None:
    notready = api.PodSandboxStateValue(state=api.SANDBOX_NOTREADY)
    async with run_pod(labels={"twin": "one"}) as one, run_pod(labels={"twin": "two"}) as two:
        assert {one.id, two.id} <= set(await _sandboxes(one))
        assert await _sandboxes(one, id=one.id) == [one.id]
        assert await _sandboxes(one, id=two.id[:20]) == [two.id]
        assert await _sandboxes(one, label_selector={"twin": "two"}) == [two.id]
        assert await _sandboxes(one, id=two.id, label_selector={"twin": "one"}) == []
        assert await _sandboxes(one, id=one.id, state=notready) == []
        await one.cri.call(one.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=one.id))
        assert await _sandboxes(one, id=one.id, state=notready) == [one.id]


@pytest.mark.deviates("cri-o", "its lists have no order")
async def test_containers(pod: CasePod) -> None:
    created, running = [
        api.ContainerStateValue(state=state) for state in (api.CONTAINER_CREATED, api.CONTAINER_RUNNING)
    ]
    one = await pod.create(labels={"twin": "one"})
    two = await pod.run(labels={"twin": "two"})
    assert {one, two} <= set(await _containers(pod))
    assert await _containers(pod, pod_sandbox_id=pod.id) == [one, two]
    assert await _containers(pod, pod_sandbox_id=pod.id, state=created) == [one]
    assert await _containers(pod, pod_sandbox_id=pod.id, state=running) == [two]
    assert await _containers(pod, id=one[:20]) == [one]
    assert await _containers(pod, pod_sandbox_id=pod.id, label_selector={"twin": "two"}) == [two]
    assert await _containers(pod, pod_sandbox_id="0" * 64) == []


async def test_images(pod: CasePod) -> None:
    cri = pod.cri
    for name in ("", pod.image, "registry.invalid/nothing:1"):
        wish = api.ImageFilter(image=api.ImageSpec(image=name))
        unary = (await cri.call(cri.images.ListImages, api.ListImagesRequest(filter=wish))).images
        stream = cri.stream(cri.images.StreamImages, api.StreamImagesRequest(filter=wish))
        assert list(unary) == await _gathered(stream, "images")
        assert bool(unary) is ("invalid" not in name)
