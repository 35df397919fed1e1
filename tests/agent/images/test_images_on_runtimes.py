"""Pulls on real runtimes: what they give for an image is what the records and the collector know it by."""

from __future__ import annotations

import json
from pathlib import Path

from podwright.agent.clock import SystemClock
from podwright.agent.gc.unused_images import is_used, used_names
from podwright.agent.images.credentials import Logins
from podwright.agent.images.limits import PullLimits
from podwright.agent.images.manager import ImageManager
from podwright.agent.images.pulling import Puller
from podwright.agent.images.record_files import RecordFiles
from podwright.agent.images.records import PullRecords
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.runtime.client import ImagesClient, RuntimeClient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import running_pod
from tests.agent.fakes.configs import container_config, labels, sandbox_config
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.objects import FakeObjects
from tests.agent.fakes.pods import container, pod

UID = "uid-images"


def manager(peer: CriPeer, root: Path, events: RecordedEvents) -> ImageManager:
    images, clock = ImagesClient(peer.client), SystemClock()
    records = PullRecords(RecordFiles(str(root)), clock)
    puller = Puller(images, PullLimits(clock), records, clock, KeyedBackoff())
    return ImageManager(images, puller, Logins(FakeObjects(), [], events), records, events, clock)


async def test_a_pulled_image_is_there_for_everybody(cri_server: CriPeer, busybox_image: str, tmp_path: Path) -> None:
    events = RecordedEvents()
    images = manager(cri_server, tmp_path, events)
    wanted = container(image=busybox_image, image_pull_policy="Always")
    pulled = await images.ensure(pod(), wanted, sandbox_config(), "")
    present = await images.ensure(
        pod(), container(image=busybox_image, image_pull_policy="IfNotPresent"), sandbox_config(), ""
    )
    assert events.reasons() == ["Pulling", "Pulled", "Pulled"]
    assert pulled.image == present.image
    assert pulled.image.size_bytes > 0
    (record,) = (tmp_path / "image_manager/pulled").iterdir()
    content = json.loads(record.read_bytes())
    assert content["imageRef"] == present.image.id
    assert content["credentialMapping"] == {busybox_image.removesuffix(":1"): {"nodePodsAccessible": True}}
    async with running_pod(cri_server, busybox_image, labels=labels(UID)) as sandbox:
        sandbox_image = sandbox.image_spec
        sandbox_image.image = pulled.reference  # as the agent makes containers
        await sandbox.run(labels=dict(container_config(uid=UID).labels), name="main", image=sandbox_image)


async def test_the_image_of_a_container_is_known_to_be_in_use(cri_server: CriPeer, busybox_image: str) -> None:
    runtime, images = RuntimeClient(cri_server.client), ImagesClient(cri_server.client)
    async with running_pod(cri_server, busybox_image, labels=labels(UID)) as sandbox:
        made = await sandbox.run(labels=dict(container_config(uid=UID).labels), name="main")
        containers = [each for each in await runtime.containers() if each.id == made]
        for names in (used_names(containers, []), used_names([], [await runtime.container_status(made)])):
            used = [image for image in await images.images() if is_used(image, names)]
            assert len(used) == 1
            assert busybox_image in used[0].tags
