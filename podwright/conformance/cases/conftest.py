"""Fixtures of the cases. `cri_server` and `image` come from whoever runs them."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podwright.conformance.images import ImageRegistry, image_registry
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod, running_pod
from podwright.cri.v1 import api_pb2 as api


@pytest.fixture(autouse=True)
def known_deviation(request: pytest.FixtureRequest, cri_server: CriPeer) -> None:
    """`@pytest.mark.deviates("containerd", "why")`: a failure is expected on that runtime, and reported as such.

    With `run=False` the case is not even tried there: it could only wait for its deadline. With `raises=` only that
    error is expected.
    """
    for marker in request.node.iter_markers("deviates"):
        runtime, why = marker.args
        if runtime in (cri_server.name, cri_server.variant):
            expected = pytest.mark.xfail(reason=f"{runtime}: {why}", strict=False, **marker.kwargs)
            request.applymarker(expected)


@pytest.fixture
def run_pod(cri_server: CriPeer, image: str) -> RunPod:
    """`async with run_pod(hostname="x", ...) as pod`: a pod by its config's fields."""
    return functools.partial(running_pod, cri_server, image)


@pytest_asyncio.fixture
async def pod(run_pod: RunPod) -> AsyncIterator[CasePod]:
    """A plain pod."""
    async with run_pod() as plain:
        yield plain


@pytest_asyncio.fixture
async def able(cri_server: CriPeer) -> list[str]:
    """The handlers that have user namespaces. "" stands for the default. There is no case for the others."""
    names = await cri_server.handlers(own_users=True)
    if "" not in names:
        pytest.skip("the default handler tells that it has no user namespaces")
    return names


PROGRAMS: dict[str, bytes] = {}  # busybox, by the image that it was taken from


@pytest_asyncio.fixture
async def images(pod: CasePod) -> AsyncIterator[ImageRegistry]:
    """A registry for images of the case's own, whose base has the busybox of `image`. They are removed at the end."""
    if pod.image not in PROGRAMS:
        container = await pod.run_ready()
        PROGRAMS[pod.image] = (await pod.exec(container, "cat", "/bin/busybox")).stdout
    with image_registry(PROGRAMS[pod.image]) as registry:
        yield registry
        for name in registry.names:
            await pod.cri.call(pod.cri.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=name)))
