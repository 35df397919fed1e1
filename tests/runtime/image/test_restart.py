"""What a new daemon finds: leftovers of a killed one, and what a power cut or a person took away."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.runtime.image.node import Node
from tools.images import Entry, busybox_image, layer_of
from tools.registry import Registry

pytestmark = pytest.mark.root


@pytest.fixture
def name(registry: Registry) -> str:
    registry.push("restart:1", busybox_image(layer_of([Entry("x", 0o644, "file", b"x")])))
    return f"{registry.host}/restart:1"


async def test_everything_stays(node: Node, name: str) -> None:
    await node.service.pull(name)
    before = node.service.list()
    index = (node.root / "images/index.json").read_bytes()
    await node.restart()
    assert node.service.list() == before
    assert (node.root / "images/index.json").read_bytes() == index


async def test_leftovers_go(node: Node, name: str) -> None:
    await node.service.pull(name)
    layers, blobs = node.layers(), node.blobs()
    (node.root / "images/ingest/half").write_bytes(b"half")
    (node.root / "images/blobs/sha256" / ("0" * 64)).write_bytes(b"of no image")
    for litter in (".new-1/fs/etc", ".old-2/fs", "0" * 64 + "/fs"):
        (node.layers_dir / litter).mkdir(parents=True)
    await node.restart()
    assert (node.layers(), node.blobs()) == (layers, blobs)
    assert list((node.root / "images/ingest").iterdir()) == []


async def test_a_lost_layer_is_unpacked_again(node: Node, name: str) -> None:
    image_id = await node.service.pull(name)
    image = node.service.get(image_id)
    shutil.rmtree(node.layers_dir / image.layers[1])
    await node.restart()
    assert node.service.get(image_id) == image
    assert Path(node.service.hold("h", image_id)[0].layers[0], "x").read_bytes() == b"x"


async def test_layers_not_synced_before_a_reboot_are_not_trusted(node: Node, name: str) -> None:
    image_id = await node.service.pull(name)
    await node.service.close()  # lets the sync end
    rows = "UPDATE layers SET record = json_set(record, '$.boot_id', 'another', '$.synced', json(?))"
    node.database.execute(rows, "true")
    for layer in node.service.get(image_id).layers:
        (node.layers_dir / layer / "fs/marker").touch()
    await node.restart()
    assert len(list(node.layers_dir.glob("*/fs/marker"))) == 2
    node.database.execute(rows, "false")
    await node.restart()
    assert list(node.layers_dir.glob("*/fs/marker")) == []
    assert len(node.layers()) == 2


async def test_an_image_with_a_lost_blob_is_forgotten_and_can_be_pulled_again(node: Node, name: str) -> None:
    image_id = await node.service.pull(name)
    (node.root / "images/blobs/sha256" / image_id.removeprefix("sha256:")).unlink()
    await node.restart()
    assert node.service.list() == []
    assert node.leftovers() == []
    assert await node.service.pull(name) == image_id


async def test_killed_in_the_middle(node: Node, name: str) -> None:
    """The service is dropped at some moment of a pull, as if its process had died."""
    for delay_s in (0.0, 0.01, 0.02, 0.04):
        pull = asyncio.create_task(node.service.pull(name))
        await asyncio.sleep(delay_s)
        pull.cancel()
        await asyncio.wait([pull])
        await node.restart()
        for image in node.service.list():
            await node.service.remove(image.id)
        assert node.leftovers() == []
    assert await node.service.pull(name)
