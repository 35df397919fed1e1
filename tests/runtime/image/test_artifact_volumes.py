"""An OCI artifact through the daemon: a volume of containers, and nothing that they run."""

from __future__ import annotations

import pytest

from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition
from tests.harness.podwright import Podwright
from tools.images import artifact_of
from tools.registry import Registry

pytestmark = pytest.mark.root


async def test_an_artifact_is_mounted_and_not_run(
    podwright_server: Podwright, registry: Registry, busybox_image: str
) -> None:
    registry.push("models/small:1", artifact_of({"weights/model.bin": b"1.5 2.5", "README": b"small"}))
    spec = api.ImageSpec(image=f"{registry.host}/models/small:1")
    async with podwright_server.client() as cri, running_pod(podwright_server.peer(cri), busybox_image) as pod:
        image_id = (await cri.call(cri.images.PullImage, api.PullImageRequest(image=spec))).image_ref
        image = (await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=spec))).image
        assert (image.id, image.spec.annotations["org.example.kind"]) == (image_id, "artifact")
        volumes = [
            api.Mount(container_path="/model", readonly=True, image=spec),
            api.Mount(container_path="/part", readonly=True, image=spec, image_sub_path="weights"),
        ]
        shown = await pod.output("cat", "/model/weights/model.bin", "/part/model.bin", "/model/README", mounts=volumes)
        assert shown.strip() == "1.5 2.51.5 2.5small"
        with pytest.raises(FailedPrecondition, match=r"models/small:1 is an artifact .* image volume"):
            await pod.create(image=spec)
        await cri.call(cri.images.RemoveImage, api.RemoveImageRequest(image=spec))
