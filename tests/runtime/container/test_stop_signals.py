"""The stop signal of an image, on the daemon."""

from __future__ import annotations

import pytest

from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from tests.harness.podwright import Podwright
from tools.images import busybox_image, image_of
from tools.registry import Registry


@pytest.mark.root
@pytest.mark.parametrize(
    ("of_image", "of_request", "trapped"),
    [
        ("SIGRTMIN+3", api.SIGNAL_RUNTIME_DEFAULT, 37),
        ("10", api.SIGNAL_RUNTIME_DEFAULT, 10),
        ("SIGRTMIN+3", api.SIGNAL_SIGWINCH, 28),
    ],
)
async def test_the_image_s_unless_the_request_has_one(
    podwright_server: Podwright, registry: Registry, of_image: str, of_request: api.Signal, trapped: int
) -> None:
    name = f"stops-by-{of_image.lower().replace('+', '-')}:1"
    registry.push(name, image_of(busybox_image().layers, {"StopSignal": of_image, "Env": ["PATH=/bin"]}))
    async with podwright_server.client() as client:
        async with running_pod(podwright_server.peer(client), f"{registry.host}/{name}") as pod:
            script = f"trap 'exit 7' {trapped}; sleep 1000 & echo ready; wait"
            container_id = await pod.run_ready(("sh", "-c", script), stop_signal=of_request)
            await pod.stop(container_id, timeout=20)
            assert (await pod.status(container_id)).exit_code == 7
        await client.call(
            client.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=f"{registry.host}/{name}"))
        )


@pytest.mark.root
async def test_one_that_nobody_knows(podwright_server: Podwright, registry: Registry) -> None:
    name = f"{registry.host}/stops-by-nonsense:1"
    registry.push("stops-by-nonsense:1", image_of(busybox_image().layers, {"StopSignal": "SIGFOO"}))
    async with podwright_server.client() as client, running_pod(podwright_server.peer(client), name) as pod:
        message = f"container main of image {name}: unknown stop signal 'SIGFOO'"
        with pytest.raises(InvalidArgument, match=message):
            await pod.create(name="main")
        await pod.run_ready(stop_signal=api.SIGNAL_SIGTERM)
