"""VOLUMEs of images, and mounts on an image's links: where they are, and what containers make of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.container.filesystem.image_directories import LIMIT, make, wanted
from podwright.runtime.model.container import Mount
from tests.faults.node import Node, running_node
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright
from tools.images import Entry, busybox_image, layer_of
from tools.registry import Registry


@pytest.mark.parametrize(
    ("volumes", "mounts", "places"),
    [
        ((), (), ()),
        (("/data", "var/lib//x/", "/data/"), (), ("/data", "/var/lib/x")),
        (("/data", "/more"), ("/data/", "/other"), ("/more",)),
        (("/", "", "../..", "/a/../../etc"), (), ("/etc",)),
        (("/proc", "/proc/sys", "/dev/shm", "/sys/x/..", "/processes"), (), ("/processes",)),
    ],
)
def test_places(volumes: tuple[str, ...], mounts: tuple[str, ...], places: tuple[str, ...]) -> None:
    assert wanted(volumes, tuple(Mount(container_path=path) for path in mounts)) == places


def test_more_than_any_image_needs() -> None:
    with pytest.raises(InvalidArgument, match=f"the limit is {LIMIT}"):
        wanted(tuple(f"/v{number}" for number in range(LIMIT + 1)), ())


def test_missing_ones_are_made_inside_whatever_links_say(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "etc").mkdir(parents=True)
    outside.mkdir()
    (root / "up").symlink_to("../../outside")
    (root / "away").symlink_to(str(outside))
    (root / "inner").symlink_to("/etc")
    (root / "nowhere").symlink_to("/not/there")
    owner = (os.getuid(), os.getgid())
    mounts = make(str(root), ("/a/b/c", "/inner/made", "/etc"), owner)
    assert [mount.host_path for mount in mounts] == [f"{root}/a/b/c", f"{root}/etc/made", f"{root}/etc"]
    assert [mount.container_path for mount in mounts] == ["/a/b/c", "/inner/made", "/etc"]
    assert (root / "a" / "b" / "c").stat().st_mode & 0o777 == 0o755
    for path in ("/nowhere", "/up/x", "/away/x"):
        make(str(root), (path,), owner)
    assert [each.is_dir() for each in (root / "not" / "there", root / "outside" / "x")] == [True, True]
    assert not any(outside.iterdir())


def test_what_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("/file", "/file/below"):
        with pytest.raises(InvalidArgument, match="not a directory"):
            make(str(tmp_path), (path,), (os.getuid(), os.getgid()))


@pytest.fixture(scope="module")
def image(registry: Registry) -> str:
    """With content in one volume, and another that is not there."""
    layer = layer_of(
        [
            Entry("data", 0o1777, "dir"),
            Entry("data/seed", 0o644, "file", b"of the image\n"),
            Entry("passwords", 0o777, "symlink", "/etc"),
            Entry("dangling", 0o777, "symlink", "/at/end"),
        ]
    )
    declared: dict[str, object] = {"/data": {}, "/not/there": {}, "/passwords": {}, "/dangling": {}, "/proc/sys": {}}
    registry.push("volumes/declared:1", busybox_image(layer, Volumes=declared))
    return f"{registry.host}/volumes/declared:1"


SCRIPT = (
    "cat /data/seed; for d in /data /not/there /at/end /etc /root; do touch $d/new 2>/dev/null && echo $d; done; true"
)
MAPPING = api.IDMapping(host_id=70000, container_id=0, length=65536)


@pytest.mark.root
@pytest.mark.parametrize(("handler", "own_users"), [("crun", False), ("runc", False), ("crun", True)])
async def test_containers_write_to_them_below_a_read_only_root(
    fresh_podwright: FreshPodwright, image: str, tmp_path: Path, handler: str, own_users: bool
) -> None:
    users = api.UserNamespace(mode=api.POD, uids=[MAPPING], gids=[MAPPING]) if own_users else None
    namespaces = api.NamespaceOption(pid=api.CONTAINER, userns_options=users)
    async with running_node(fresh_podwright(), image) as node:
        pod = await node.pod(handler=handler, namespaces=namespaces)
        linux = api.LinuxContainerConfig(
            security_context=api.LinuxContainerSecurityContext(readonly_rootfs=True, namespace_options=namespaces)
        )
        for _ in range(2):  # nothing of one is in the next
            assert await pod.output("sh", "-c", f"ls /data; {SCRIPT}", linux=linux) == (
                "seed\nof the image\n/data\n/not/there\n/at/end\n/etc\n"
            )
        await _written_with_a_writable_root(node, tmp_path)
        await node.emptied()


async def _written_with_a_writable_root(node: Node, tmp_path: Path) -> None:
    """Then they are directories like others, and a mount of the request takes its place."""
    pod = node.pods[0]
    container = await pod.run(("sh", "-c", SCRIPT), name="writable")
    status = await pod.exited(container)
    assert pod.text(container, status) == "of the image\n/data\n/not/there\n/at/end\n/etc\n/root\n"
    assert not status.mounts
    (tmp_path / "seed").write_text("of the host\n")
    tmp_path.chmod(0o755)
    mounts = [api.Mount(container_path="/data", host_path=str(tmp_path), readonly=True)]
    assert await pod.output("cat", "/data/seed", mounts=mounts, name="mounted") == "of the host\n"


LINKS = {"dang": "/not/there", "up": "../gone/../way/x"}


@pytest.fixture(scope="module")
def linking_image(registry: Registry) -> str:
    """With links that lead nowhere."""
    layer = layer_of([Entry(name, 0o777, "symlink", target) for name, target in LINKS.items()])
    registry.push("links/dangling:1", busybox_image(layer))
    return f"{registry.host}/links/dangling:1"


ON_LINKS = pytest.mark.parametrize(
    ("place", "end"), [("/dang", "/not/there"), ("/dang/sub", "/not/there/sub"), ("/up", "/way/x")]
)


@ON_LINKS
@pytest.mark.parametrize("is_file", [False, True], ids=["directory", "file"])
async def test_mounts_on_dangling_links_appear_at_their_ends(
    cri_server: CriPeer, linking_image: str, tmp_path: Path, place: str, end: str, is_file: bool
) -> None:
    (tmp_path / "who").write_text("of the host")
    source, seen = (tmp_path / "who", end) if is_file else (tmp_path, f"{end}/who")
    mounts = [api.Mount(container_path=place, host_path=str(source))]
    async with running_pod(cri_server, linking_image) as pod:
        assert await pod.output("cat", seen, mounts=mounts) == "of the host"


@ON_LINKS
@pytest.mark.root
@pytest.mark.parametrize(("handler", "own_users"), [("runc", False), ("crun", True)])
async def test_so_they_do_with_every_runtime_and_with_users_of_the_pods_own(
    fresh_podwright: FreshPodwright,
    linking_image: str,
    tmp_path: Path,
    place: str,
    end: str,
    handler: str,
    own_users: bool,
) -> None:
    (tmp_path / "who").write_text("of the host")
    tmp_path.chmod(0o755)
    mounts = [api.Mount(container_path=place, host_path=str(tmp_path))]
    users = api.UserNamespace(mode=api.POD, uids=[MAPPING], gids=[MAPPING]) if own_users else None
    namespaces = api.NamespaceOption(pid=api.CONTAINER, userns_options=users)
    async with running_node(fresh_podwright(), linking_image) as node:
        pod = await node.pod(handler=handler, namespaces=namespaces)
        script = f"cat {end}/who; stat -c %u:%g {end}/.."
        assert await pod.output("sh", "-c", script, mounts=mounts) == "of the host0:0\n"
        await node.emptied()


async def test_a_link_whose_end_cannot_be_a_directory(
    podwright_server: Podwright, registry: Registry, tmp_path: Path
) -> None:
    registry.push("links/spoiled:1", busybox_image(layer_of([Entry("dang", 0o777, "symlink", "/" + "deep/" * 300)])))
    mounts = [api.Mount(container_path="/dang", host_path=str(tmp_path))]
    async with podwright_server.client() as client:
        peer = podwright_server.peer(client)
        async with running_pod(peer, f"{registry.host}/links/spoiled:1") as pod:
            with pytest.raises(InvalidArgument, match="mount /dang"):
                await pod.run(mounts=mounts)
