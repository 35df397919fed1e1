"""Pushing to real registries: what they have is skipped or mounted, and what comes back is the same."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unavailable
from podwright.process import PosixProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.image.tools.pushing import Pusher
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.model.image_store import Pushed
from podwright.runtime.registry import reference
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.upload import Came, Uploader
from tests.runtime.image.node import MakeNode, Node
from tools.images import Entry, busybox_image, image_of, layer_of
from tools.registry import Registry

pytestmark = pytest.mark.root

SETTINGS = RegistrySettings(config_path="")
LAYER = layer_of([Entry("pushed", 0o644, "file", b"1")])
IMAGE = busybox_image(LAYER)
PASSWORDS = "me:$2y$05$abcdefghijklmnopqrstuuJlu1J7SD3rRuYlURnyVnj8wXy7Tqiui\n"  # bcrypt of very-secret


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Registry]:
    (tmp_path / "registry").mkdir()
    with Registry(tmp_path / "registry") as server:
        yield server


async def push(node: Node, name: str, destination: str = "", auth: RegistryAuth | None = None) -> Pushed:
    catalog, runner = node.service.catalog, PosixProcessRunner()
    return await Pusher(catalog, Refetcher(catalog.blobs, SETTINGS, runner), SETTINGS, runner).push(
        name, destination, auth
    )


@pytest.mark.parametrize("style", ["oci", "docker"])
async def test_there_and_back(style: str, node: Node, registry: Registry, other: Registry) -> None:
    image = busybox_image(LAYER, style="oci" if style == "oci" else "docker")
    registry.push("push/a:1", image)
    image_id = await node.service.pull(f"{registry.host}/push/a:1")
    destination = f"{other.host}/elsewhere/b:2"
    pushed = await push(node, f"{registry.host}/push/a:1", destination)
    assert (pushed.reference, pushed.digest) == (destination, image.digest)
    assert (pushed.uploaded_blobs, pushed.mounted_blobs, pushed.present_blobs) == (3, 0, 0)
    assert await node.service.pull(destination) == image_id
    assert f"{other.host}/elsewhere/b@{image.digest}" in node.service.get(destination).repo_digests

    again = await push(node, destination)
    assert (again.uploaded_blobs, again.present_blobs) == (0, 3)
    mounted = await push(node, destination, f"{other.host}/third:1")
    assert (mounted.uploaded_blobs, mounted.mounted_blobs) == (0, 3)
    assert await node.service.pull(f"{other.host}/third:1") == image_id


async def test_chunks(node: Node, other: Registry) -> None:
    data = bytes(range(256)) * 1000
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    pieces: list[tuple[int, int]] = []

    async def read(start: int, end: int) -> AsyncIterator[bytes]:
        pieces.append((start, end))
        yield data[start:end]

    async with Client(reference.parse(f"{other.host}/chunks:1"), None, SETTINGS) as client:
        came = await Uploader(client.destination(), chunk_bytes=100_000).blob(digest, len(data), read, ())
        assert came is Came.UPLOADED
        assert pieces == [(0, 100_000), (100_000, 200_000), (200_000, 256_000)]
        assert await Uploader(client.destination()).blob(digest, len(data), read, ()) is Came.PRESENT
    assert other.blob_path(digest).read_bytes() == data


async def test_a_damaged_blob_is_refused(node: Node, registry: Registry, other: Registry) -> None:
    registry.push("push/damaged:1", IMAGE)
    name = f"{registry.host}/push/damaged:1"
    await node.service.pull(name)
    path = Path(node.service.catalog.blobs.path(LAYER.digest))
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(FailedPrecondition, match=f"cannot push {other.host}/x:1"):
        await push(node, name, f"{other.host}/x:1")
    with pytest.raises(NotFound):
        await node.service.pull(f"{other.host}/x:1")


async def test_credentials(node: Node, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "passwords").write_text(PASSWORDS)
    auth = f"auth:\n  htpasswd:\n    realm: x\n    path: {tmp_path}/passwords\n"
    await node.service.pull(f"{registry.host}/busybox:1")
    with Registry(tmp_path / "locked", more_config=auth) as locked:
        destination = f"{locked.host}/a:1"
        for wrong in (None, RegistryAuth(username="me", password="wrong")):
            with pytest.raises(PermissionDenied, match=f"cannot push {destination}"):
                await push(node, f"{registry.host}/busybox:1", destination, wrong)
        right = RegistryAuth(username="me", password="very-secret")
        pushed = await push(node, f"{registry.host}/busybox:1", destination, right)
        assert pushed.uploaded_blobs == 2
        await node.service.pull(destination, right)


async def test_dropped_blobs_are_fetched_for_pushing(make_node: MakeNode, registry: Registry, other: Registry) -> None:
    node = await make_node(images={"keep_blobs": False})
    registry.push("push/dropped:1", IMAGE)
    name = f"{registry.host}/push/dropped:1"
    await node.service.pull(name)
    before = node.blobs()
    assert (await push(node, name, f"{other.host}/d:1")).digest == IMAGE.digest
    assert node.blobs() == before


async def test_one_platform_of_an_index(node: Node, registry: Registry, other: Registry) -> None:
    await node.service.pull(f"{registry.host}/busybox:index")
    pushed = await push(node, f"{registry.host}/busybox:index", f"{other.host}/one:1")
    assert pushed.digest == busybox_image().digest


async def test_where_nothing_can_be_pushed(node: Node, registry: Registry) -> None:
    registry.push("push/empty:1", image_of([], {"Cmd": ["x"]}))
    name = f"{registry.host}/push/empty:1"
    image_id = await node.service.pull(name)
    with pytest.raises(NotFound, match="nobody/knows"):
        await push(node, "nobody/knows:1")
    with pytest.raises(InvalidArgument, match="is a digest"):
        await push(node, name, f"{registry.host}/x@{image_id}")
    with pytest.raises(Unavailable, match=r"cannot push 127\.0\.0\.1:1/x:1"):
        await push(node, name, "127.0.0.1:1/x:1")
    assert (await push(node, image_id)).reference == name
