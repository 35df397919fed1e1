"""ImageService with a real registry."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from podwright import errors
from podwright.linux import mount
from podwright.runtime.registry.platforms import host_platforms
from tests.runtime.image.node import MakeNode, Node
from tools.images import Entry, busybox_image, image_of, index_of, layer_of
from tools.registry import Registry, write_hosts

pytestmark = pytest.mark.root

DIGESTS = {
    "busybox:1": busybox_image().digest,
    "busybox:docker": busybox_image(style="docker").digest,
    "busybox:index": index_of([busybox_image(architecture="s390x"), busybox_image()]).digest,
}


def skopeo(*arguments: str) -> Any:
    done = subprocess.run(["skopeo", *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout


def disk_usage(path: Path) -> int:
    done = subprocess.run(["du", "-s", "-B1", path], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


@pytest.mark.parametrize("name", DIGESTS)
async def test_pull_by_tag_and_then_by_digest(name: str, node: Node, registry: Registry) -> None:
    image_id = await node.service.pull(f"{registry.host}/{name}")
    image = node.service.get(f"{registry.host}/{name}")
    assert image.id == image_id == busybox_image().image_id
    assert image.repo_tags == (f"{registry.host}/{name}",)
    (by_digest,) = image.repo_digests
    assert by_digest == f"{registry.host}/busybox@{DIGESTS[name]}"
    assert image.size_bytes > 1_000_000
    assert image.config.cmd == ("sh",)

    await node.service.remove(image_id)
    assert node.leftovers() == []
    assert await node.service.pull(by_digest) == image_id
    again = node.service.get(by_digest)
    assert (again.repo_tags, again.repo_digests) == ((), (by_digest,))


async def test_other_users_of_the_host_do_not_reach_blobs_and_layers(node: Node) -> None:
    modes = [(node.root / place).stat().st_mode & 0o777 for place in ("images", "layers")]
    assert modes == [0o700, 0o700]


async def test_what_is_there_costs_one_head(node: Node, registry: Registry) -> None:
    await node.service.pull(f"{registry.host}/busybox:index")
    (by_digest,) = node.service.list()[0].repo_digests
    before = len(registry.accesses())
    await node.service.pull(f"{registry.host}/busybox:index")
    await node.service.pull(by_digest)
    assert [seen.method for seen in registry.accesses()[before:]] == ["HEAD"]


async def test_three_tags_are_one_image(node: Node, registry: Registry) -> None:
    tags = [f"{registry.host}/many:{number}" for number in range(3)]
    for tag in tags:
        registry.push(tag.partition("/")[2], busybox_image())
        await node.service.pull(tag)
    (image,) = node.service.list()
    assert image.repo_tags == tuple(tags)
    await node.service.remove(tags[1])
    assert node.service.list() == []
    assert node.leftovers() == []


async def test_a_tag_that_moved(node: Node, registry: Registry) -> None:
    name = f"{registry.host}/moving:1"
    registry.push("moving:1", busybox_image(Cmd=["old"]))
    old = await node.service.pull(name)
    registry.push("moving:1", busybox_image(Cmd=["new"]))
    new = await node.service.pull(name)
    assert node.service.get(name).id == new != old
    assert node.service.get(old).repo_tags == ()
    assert len(node.service.get(old).repo_digests) == 1


@pytest.mark.parametrize("kind", ["id", "hex", "prefix", "tag", "digest", "tag-and-digest"])
async def test_every_way_to_call_an_image(kind: str, node: Node, registry: Registry) -> None:
    image_id = await node.service.pull(f"{registry.host}/busybox:1")
    image = node.service.list()[0]
    digest = image.repo_digests[0].partition("@")[2]
    name = {
        "id": image_id,
        "hex": image_id.removeprefix("sha256:"),
        "prefix": image_id[7:19],
        "tag": image.repo_tags[0],
        "digest": image.repo_digests[0],
        "tag-and-digest": f"{image.repo_tags[0]}@{digest}",
    }[kind]
    assert node.service.find(name) == image
    await node.service.remove(name)
    assert node.service.find(name) is None


async def test_short_names_through_a_mirror(make_node: MakeNode, registry: Registry, tmp_path: Path) -> None:
    write_hosts(tmp_path / "certs", registry.url)
    node = await make_node(registry={"config_path": str(tmp_path / "certs")})
    await node.service.pull("busybox")
    image = node.service.get("docker.io/library/busybox:latest")
    assert image.repo_tags == ("docker.io/library/busybox:latest",)
    assert node.service.find("busybox") == node.service.find("library/busybox") == image


async def test_names_that_mean_nothing(node: Node) -> None:
    with pytest.raises(errors.InvalidArgument):
        node.service.find("")
    with pytest.raises(errors.InvalidArgument):
        await node.service.remove("")
    assert node.service.find("Not A Name") is None
    await node.service.remove("nobody/knows:this")
    with pytest.raises(errors.NotFound, match="nobody/knows"):
        node.service.get("nobody/knows")
    with pytest.raises(errors.InvalidArgument):
        await node.service.pull("Not A Name")


async def test_an_unknown_image(node: Node, registry: Registry) -> None:
    with pytest.raises(errors.NotFound, match=f"{registry.host}/busybox:nope"):
        await node.service.pull(f"{registry.host}/busybox:nope")
    assert node.leftovers() == []


async def test_other_platforms_only(node: Node, registry: Registry) -> None:
    registry.push("foreign:1", index_of([busybox_image(architecture="s390x")]))
    with pytest.raises(errors.NotFound, match=rf"no image for {host_platforms()[0]}, only for linux/s390x"):
        await node.service.pull(f"{registry.host}/foreign:1")
    assert node.leftovers() == []


@pytest.mark.parametrize(
    ("user", "uid", "name"), [("33", 33, ""), ("0:0", 0, ""), ("www-data:x", None, "www-data"), ("", None, "")]
)
async def test_users(user: str, uid: int | None, name: str, node: Node, registry: Registry) -> None:
    registry.push("user:1", busybox_image(User=user))
    image = node.service.get(await node.service.pull(f"{registry.host}/user:1"))
    assert (image.uid, image.username, image.config.user) == (uid, name, user)


async def test_everything_in_a_config(node: Node, registry: Registry) -> None:
    extra: dict[str, Any] = {
        "Entrypoint": ["/bin/x"],
        "Env": ["A=1", "B="],
        "WorkingDir": "/w",
        "Volumes": {"/b": {}, "/a": {}},
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGQUIT",
        "Labels": {"k": "v"},
    }
    registry.push("full:1", busybox_image(**extra))
    found = node.service.get(await node.service.pull(f"{registry.host}/full:1")).config
    assert (found.entrypoint, found.env, found.working_dir) == (("/bin/x",), ("A=1", "B="), "/w")
    assert (found.volumes, found.exposed_ports, found.stop_signal) == (("/a", "/b"), ("80/tcp",), "SIGQUIT")
    assert found.labels == {"k": "v"}


async def test_layers_are_shared_and_held(node: Node, registry: Registry) -> None:
    top = layer_of([Entry("top", 0o644, "file", b"1")])
    registry.push("base:1", busybox_image())
    registry.push("derived:1", busybox_image(top))
    base = await node.service.pull(f"{registry.host}/base:1")
    derived = await node.service.pull(f"{registry.host}/derived:1")
    assert len(node.layers()) == 2
    [(lower, _)] = node.service.hold("container", derived)
    assert [Path(tree, "top").exists() for tree in lower] == [True, False]

    await node.service.remove(base)
    await node.service.remove(derived)
    assert len(node.layers()) == 2
    await node.restart()
    assert all(Path(tree).is_dir() for tree in lower)
    node.service.release("container")
    node.service.release("container")
    await node.service.close()
    assert node.leftovers() == []
    with pytest.raises(errors.NotFound):
        node.service.hold("another", derived)


async def test_an_image_without_layers(node: Node, registry: Registry) -> None:
    registry.push("scratch:1", image_of([], {"Cmd": ["x"]}))
    [((tree,), _)] = node.service.hold("holder", await node.service.pull(f"{registry.host}/scratch:1"))
    assert list(Path(tree).iterdir()) == []


async def test_undescribed_directories_keep_what_they_were_below(
    node: Node, registry: Registry, tmp_path: Path
) -> None:
    """The same layer over two bases: /tmp is 1777 in one and 0700 in the other."""
    top = layer_of([Entry("tmp/x/file", 0o644, "file", b"1"), Entry("new/file", 0o644, "file", b"1")])
    closed = layer_of([Entry("tmp", 0o700, "dir", uid=5), Entry("tmp/x", 0o711, "dir")])
    registry.push("open:1", busybox_image(top))
    registry.push("closed:1", image_of([closed, top], {}))
    registry.push("alone:1", image_of([top], {}))
    modes = {}
    for name in ("alone", "open", "closed"):
        [(lower, _)] = node.service.hold(name, await node.service.pull(f"{registry.host}/{name}:1"))
        merged = tmp_path / name
        merged.mkdir()
        if len(lower) > 1:
            mount.mount_overlay(mount.Overlay(target=str(merged), lower=lower))
        try:
            place = merged if len(lower) > 1 else Path(lower[0])
            found = [(place / path).stat() for path in ("tmp", "tmp/x", "new")]
            modes[name] = [(oct(one.st_mode & 0o7777), one.st_uid) for one in found]
        finally:
            mount.unmount(str(merged))
    assert modes == {
        "alone": [("0o755", 0)] * 3,
        "open": [("0o1777", 0), ("0o755", 0), ("0o755", 0)],
        "closed": [("0o700", 5), ("0o711", 0), ("0o755", 0)],
    }
    assert len(node.layers()) == 5  # busybox, closed, and the top once per base


async def test_whiteouts_hide_what_is_below(node: Node, registry: Registry, tmp_path: Path) -> None:
    top = layer_of([Entry("etc/.wh.group", 0o644), Entry("var", 0o755, "dir"), Entry("var/.wh..wh..opq", 0o644)])
    registry.push("hiding:1", busybox_image(top))
    [(lower, _)] = node.service.hold("holder", await node.service.pull(f"{registry.host}/hiding:1"))
    (tmp_path / "m").mkdir()
    mount.mount_overlay(mount.Overlay(target=str(tmp_path / "m"), lower=lower))
    try:
        assert sorted(path.name for path in (tmp_path / "m/etc").iterdir()) == ["passwd"]
        assert list((tmp_path / "m/var").iterdir()) == []
    finally:
        mount.unmount(str(tmp_path / "m"))


@pytest.mark.parametrize("name", ["busybox:1", "busybox:docker", "busybox:index"])
async def test_skopeo_reads_the_layout(name: str, node: Node, registry: Registry, tmp_path: Path) -> None:
    await node.service.pull(f"{registry.host}/{name}")
    layout = f"oci:{node.root}/images:{registry.host}/{name}"
    assert skopeo("inspect", layout)["Architecture"] == busybox_image().platform["architecture"]
    skopeo("copy", layout, f"oci:{tmp_path}/copy:x")
    assert (tmp_path / "copy/blobs/sha256" / busybox_image().image_id.removeprefix("sha256:")).exists()


async def test_usage(node: Node, registry: Registry) -> None:
    empty = await node.service.fs_usage()
    assert Path(empty.mountpoint).is_dir()
    await node.service.pull(f"{registry.host}/busybox:1")
    full = await node.service.fs_usage()
    counted = disk_usage(node.root / "images") + disk_usage(node.layers_dir)
    assert full.timestamp > empty.timestamp
    assert abs(full.used_bytes - counted) < 100_000
    await node.service.remove(f"{registry.host}/busybox:1")
    assert (await node.service.fs_usage()).used_bytes == empty.used_bytes


async def test_many_at_once(node: Node, registry: Registry) -> None:
    """Five removals and five pulls at once, as critest does."""
    name = f"{registry.host}/busybox:1"
    ids = await asyncio.gather(*(node.service.pull(name) for _ in range(5)))
    assert len(set(ids)) == 1
    await asyncio.gather(*(node.service.remove(name) for _ in range(5)))
    assert node.leftovers() == []
