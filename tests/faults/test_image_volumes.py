"""Image volumes of images that mean harm, through kills of the daemon, and without their image."""

from __future__ import annotations

import asyncio

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unknown
from tests.faults.node import Node, eventually
from tools.images import Entry, image_of, layer_of
from tools.registry import Registry

pytestmark = [pytest.mark.root]

DATA = (
    layer_of(
        [
            Entry("data", 0o755, "dir"),
            Entry("data/old", 0o644, "file", b"old"),
            Entry("data/new", 0o644, "file", b"below"),
            Entry("etc", 0o755, "dir"),
            Entry("etc/inside", 0o644, "file", b"of the image"),
            Entry("absolute", 0o777, "symlink", "/etc"),
            Entry("climbing", 0o777, "symlink", "../../../../../../etc"),
            Entry("loop", 0o777, "symlink", "loop"),
            Entry("away", 0o777, "symlink", "/proc/self/root/etc"),
        ]
    ),
    layer_of([Entry("data/.wh.old", 0o644), Entry("data/new", 0o644, "file", b"above")]),
)


@pytest.fixture(scope="module")
def data_image(registry: Registry) -> str:
    """Two layers with links that point everywhere."""
    registry.push("volumes/data:1", image_of(DATA, {}))
    return f"{registry.host}/volumes/data:1"


@pytest.fixture(scope="module")
def flat_image(registry: Registry) -> str:
    """One layer."""
    registry.push("volumes/flat:1", image_of([layer_of([Entry("file", 0o644, "file", b"flat")])], {}))
    return f"{registry.host}/volumes/flat:1"


def _volume(image: str, sub_path: str = "") -> api.Mount:
    return api.Mount(
        container_path="/volume", readonly=True, image=api.ImageSpec(image=image), image_sub_path=sub_path
    )


async def _pull(node: Node, image: str) -> None:
    await node.cri.call(node.cri.images.PullImage, api.PullImageRequest(image=api.ImageSpec(image=image)))


async def _remove(node: Node, image: str) -> None:
    await node.cri.call(node.cri.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=image)))


async def test_links_and_whiteouts_are_those_of_the_image(node: Node, data_image: str, flat_image: str) -> None:
    await _pull(node, data_image)
    await _pull(node, flat_image)
    pod = await node.pod()
    for sub_path in ("absolute", "climbing", "/etc", "./etc/."):
        assert await pod.output("ls", "/volume", mounts=[_volume(data_image, sub_path)]) == "inside\n"
    merged = await pod.output("sh", "-c", "ls /volume; cat /volume/new", mounts=[_volume(data_image, "data")])
    assert merged == "new\nabove"
    assert await pod.output("cat", "/volume/file", mounts=[_volume(flat_image)]) == "flat"
    for sub_path in ("loop", "away", "data/old", "data/new", "climbing/../etc", "x" * 300):
        with pytest.raises(Unknown, match=r"^ImageVolumeMountFailed: container c\d+: mount /volume: "):
            await pod.create(mounts=[_volume(data_image, sub_path)])
    await node.emptied()


async def test_the_image_may_go_before_the_volume(node: Node, data_image: str) -> None:
    await _pull(node, data_image)
    pod = await node.pod()
    container = await pod.run_ready(mounts=[_volume(data_image)])
    layers = node.server.root / "layers"
    before = len(list(layers.iterdir()))
    await _remove(node, data_image)
    assert (await pod.exec(container, "cat", "/volume/data/new")).stdout == b"above"
    assert len(list(layers.iterdir())) == before
    with pytest.raises(Unknown, match=r"^ImageVolumeMountFailed"):
        await pod.create(mounts=[_volume(data_image)])
    await node.emptied()

    async def gone() -> bool:
        return len(list(layers.iterdir())) == before - len(DATA)

    await eventually(gone, "the layers of the removed image are deleted")


async def test_volumes_live_through_kills_of_the_daemon(node: Node, data_image: str) -> None:
    await _pull(node, data_image)
    pod = await node.pod()
    running = await pod.run_ready(mounts=[_volume(data_image)])
    created = await pod.create(mounts=[_volume(data_image, "data")])
    await _remove(node, data_image)
    await node.reborn()
    assert (await pod.exec(running, "cat", "/volume/data/new")).stdout == b"above"
    await pod.start(created)
    assert (await pod.exec(created, "cat", "/volume/new")).stdout == b"above"
    [mount] = (await pod.status(running)).mounts
    assert mount.image.image_ref.startswith("sha256:")
    await node.emptied()


async def test_a_create_that_a_kill_interrupts_leaves_no_volume(node: Node, data_image: str) -> None:
    await _pull(node, data_image)
    pod = await node.pod()
    mounts = [_volume(data_image) for _ in range(50)]  # enough to be killed among them
    creating = [asyncio.create_task(pod.create(name=f"c{number}", mounts=mounts)) for number in range(4)]
    mounted = node.server.state / "containers"

    async def begun() -> bool:
        return any(mounted.glob("*/volumes/1"))

    await eventually(begun, "a volume is mounted")
    await node.reborn()
    await asyncio.gather(*creating, return_exceptions=True)
    await node.audited()
    await node.emptied()
