"""Images on a disk of their own: overlays across two filesystems, and what ImageFsInfo tells of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.pods import running_pod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.linux import mount
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

pytestmark = pytest.mark.root

MIB = 1 << 20
WRITING = ("sh", "-c", "head -c 2097152 /dev/zero > /big; echo ready; exec sleep 1000")
IDS = (api.IDMapping(host_id=70000, container_id=0, length=65536),)
OWN_USERS = api.UserNamespace(mode=api.POD, uids=IDS, gids=IDS)
HOSTS_USERS = api.UserNamespace(mode=api.NODE)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "disk").mkdir()
    mount.mount_tmpfs(str(tmp_path / "disk"), size_bytes=64 * MIB, mode=0o755)
    try:
        yield tmp_path / "disk"
    finally:
        mount.unmount(str(tmp_path / "disk"))


@pytest.fixture
def server(fresh_podwright: FreshPodwright, disk: Path) -> Podwright:
    return fresh_podwright({"images": {"store": str(disk)}})


@pytest_asyncio.fixture
async def cri(server: Podwright) -> AsyncIterator[CriClient]:
    async with server.client() as client:
        yield client


async def _filesystems(cri: CriClient) -> tuple[api.FilesystemUsage, api.FilesystemUsage]:
    """Those of images and of writable layers."""
    info = await cri.call(cri.images.ImageFsInfo, api.ImageFsInfoRequest())
    (images,), (layers,) = info.image_filesystems, info.container_filesystems
    return images, layers


@pytest.mark.parametrize("users", [HOSTS_USERS, OWN_USERS], ids=["hosts-users", "own-users"])
async def test_containers_write_on_the_other_disk(
    users: api.UserNamespace, server: Podwright, cri: CriClient, disk: Path, busybox_image: str
) -> None:
    peer = server.peer(cri)
    if users is OWN_USERS and not await peer.handlers(own_users=True):
        pytest.skip("no handler here has user namespaces")
    namespaces = api.NamespaceOption(pid=api.CONTAINER, userns_options=users)
    async with running_pod(peer, busybox_image, namespaces=namespaces) as pod:
        container_id = await pod.run_ready(WRITING)
        assert list(disk.glob("layers/*/fs/bin/busybox"))
        assert not (server.root / "layers").exists()
        assert (server.root / f"containers/{container_id}/upper/big").stat().st_size == 2 * MIB
        async with asyncio.timeout(patient(20)):
            while True:
                images, layers = await _filesystems(cri)
                if layers.used_bytes.value >= 2 * MIB:
                    break
                await asyncio.sleep(0.1)
        assert (images.fs_id.mountpoint, layers.fs_id.mountpoint) == (
            str(disk / "images"),
            str(server.root / "containers"),
        )
        assert images.used_bytes.value > 0
        assert layers.inodes_used.value > 1
        request = api.ContainerStatsRequest(container_id=container_id)
        stats = (await cri.call(cri.runtime.ContainerStats, request)).stats
        assert stats.writable_layer.fs_id == layers.fs_id


async def test_images_are_there_again_after_a_restart(
    server: Podwright, cri: CriClient, disk: Path, busybox_image: str
) -> None:
    wanted = api.ImageSpec(image=busybox_image)
    await cri.call(cri.images.PullImage, api.PullImageRequest(image=wanted))
    server.restart()
    async with server.client() as again:
        assert (await again.call(again.images.ImageStatus, api.ImageStatusRequest(image=wanted))).image.id
        await again.call(again.images.RemoveImage, api.RemoveImageRequest(image=wanted))
        assert not list(disk.glob("layers/*/fs/bin")) + list(disk.glob("images/blobs/sha256/*"))


async def test_without_one_both_are_the_same(podwright_server: Podwright) -> None:
    async with podwright_server.client() as cri:
        images, layers = await _filesystems(cri)
    assert images == layers
