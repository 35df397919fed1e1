"""`kill -9` of the daemon in pulls and loads, at many moments: what is stored is whole, and a retry succeeds."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2
from podwright.cri.v1 import api_pb2 as api
from tests.faults.node import Node
from tests.runtime.archive.archives import oci_members, tar
from tools.images import Entry, busybox_image, layer_of
from tools.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.slow]

DELAYS_S = (0.01, 0.03, 0.06, 0.1, 0.18)
JITTER_S = 0.01
PIECE_BYTES = 1 << 18
NOISE = random.Random(1).randbytes(2 << 20)
LAYERS = [layer_of([Entry(f"noise{number}", 0o644, "file", NOISE[number:])]) for number in range(3)]
IMAGE = busybox_image(*LAYERS)
Act = Callable[[Node, str], Awaitable[str]]


async def pull(node: Node, name: str) -> str:
    request = api.PullImageRequest(image=api.ImageSpec(image=name))
    return (await node.cri.call(node.cri.images.PullImage, request)).image_ref


async def load(node: Node, name: str) -> str:
    archive = tar(oci_members({name: IMAGE}))

    async def requests() -> AsyncIterator[images_pb2.LoadImageRequest]:
        for start in range(0, len(archive), PIECE_BYTES):
            yield images_pb2.LoadImageRequest(data=archive[start : start + PIECE_BYTES])

    response = await image_store(node.cri).LoadImage(requests())
    return response.images[0].id


async def whole(node: Node) -> None:
    """Every blob that stands in the store is what its name says, nothing is half-made, and no layer is damaged."""
    for path in (node.server.root / "images/blobs/sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert list((node.server.root / "images/ingest").iterdir()) == []
    assert list((node.server.root / "layers").glob(".*")) == []
    request = images_pb2.VerifyImagesRequest()
    found = [one async for one in node.cri.stream(image_store(node.cri).VerifyImages, request)]
    assert [one.damage for one in found if one.HasField("damage")] == []


async def emptied(node: Node) -> None:
    await node.cri.call(node.cri.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=IMAGE.image_id)))
    assert list((node.server.root / "images/blobs/sha256").iterdir()) == []
    assert [path.name for path in (node.server.root / "layers").iterdir()] == ["empty"]


@pytest.mark.parametrize("act", [pull, load], ids=["pull", "load"])
async def test_killed_at_many_moments(act: Act, node: Node, registry: Registry) -> None:
    registry.push("kill9/store:1", IMAGE)
    name = f"{registry.host}/kill9/store:1"
    for delay_s in DELAYS_S:
        acting = asyncio.ensure_future(act(node, name))
        await asyncio.sleep(delay_s + random.uniform(0, JITTER_S))
        await node.reborn()
        await asyncio.wait([acting])  # it failed, was cancelled with its client, or was quicker than the signal
        await whole(node)
        assert await act(node, name) == IMAGE.image_id
        await whole(node)
        await emptied(node)
