"""Verification on a real store: what kinds of damage are found, and what mending leaves behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from podwright.process import PosixProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.image.tools.verifying import Verifier
from podwright.runtime.model.image_store import Damage, VerifySummary
from tests.runtime.image.node import MakeNode, Node
from tools.images import Entry, Image, artifact_of, busybox_image, layer_of
from tools.registry import Registry

pytestmark = pytest.mark.root

EXTRA = layer_of(
    [
        Entry("etc", 0o755, "dir"),
        Entry("etc/conf", 0o644, "file", b"content"),
        Entry("etc/link", 0o777, "symlink", "conf"),
        Entry("undescribed/deep", 0o600, "file", b"1", xattrs={"user.note": "x"}),
        Entry("tmp/below", 0o644, "file", b"2"),
        Entry(".wh.root", 0o644, "file", b""),
    ]
)
IMAGE = busybox_image(EXTRA)
Spoil = Callable[[Path], object]


@pytest.fixture
def name(registry: Registry) -> str:
    registry.push("verify:1", IMAGE)
    return f"{registry.host}/verify:1"


async def verify(
    node: Node, *names: str, repair: bool = False, keep_blobs: bool = True
) -> tuple[list[Damage], VerifySummary]:
    catalog = node.service.catalog
    refetcher = Refetcher(catalog.blobs, RegistrySettings(config_path=""), PosixProcessRunner())
    *damages, summary = [
        one async for one in Verifier(catalog, refetcher, keep_blobs=keep_blobs).verify(names, repair=repair)
    ]
    assert isinstance(summary, VerifySummary)
    return [one for one in damages if isinstance(one, Damage)], summary


def tree_of(node: Node, image: Image = IMAGE) -> Path:
    """The upper layer's tree."""
    return Path(node.service.catalog.layers.path(node.service.get(image.image_id).layers[-1]))


async def test_nothing_is_wrong(node: Node, name: str) -> None:
    await node.service.pull(name)
    damages, summary = await verify(node)
    assert damages == []
    assert (summary.images, summary.blobs, summary.layers, summary.damaged, summary.unchecked_layers) == (
        1,
        4,
        2,
        0,
        0,
    )


def rewritten(path: Path) -> None:
    """Other bytes, the same size and time."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def led_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/shadow")


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


LAYER_DAMAGE: dict[str, tuple[Spoil, str]] = {
    "content": (lambda tree: rewritten(tree / "etc/conf"), "/etc/conf: has another content"),
    "zeroed": (lambda tree: os.truncate(tree / "etc/conf", 0), "/etc/conf: has another size"),
    "missing-file": (lambda tree: (tree / "etc/conf").unlink(), "/etc/conf: is missing"),
    "extra-file": (lambda tree: (tree / "etc/extra").touch(), "/etc/extra: should not be there"),
    "mode": (lambda tree: (tree / "etc/conf").chmod(0o4755), "/etc/conf: has another mode"),
    "owner": (lambda tree: os.chown(tree / "etc", 7, 7), "/etc: has another owner"),
    "time": (lambda tree: os.utime(tree / "etc/conf", (1, 1)), "/etc/conf: was changed at another time"),
    "link": (lambda tree: led_elsewhere(tree / "etc/link"), "/etc/link: leads elsewhere"),
    "kind": (lambda tree: made_a_folder(tree / "etc/conf"), "/etc/conf: is of another kind"),
    "xattr": (
        lambda tree: os.removexattr(tree / "undescribed/deep", "user.note"),
        "/undescribed/deep: has other extended attributes",
    ),
    "whiteout": (lambda tree: (tree / "root").unlink(), "/root: is missing"),
    "root": (lambda tree: tree.chmod(0o700), "/: has another mode"),
    "all-of-it": (shutil.rmtree, "it is missing"),
}


@pytest.mark.parametrize("case", LAYER_DAMAGE)
async def test_a_damaged_layer(case: str, node: Node, name: str, registry: Registry) -> None:
    spoil, words = LAYER_DAMAGE[case]
    await node.service.pull(name)
    image = node.service.get(name)
    spoil(tree_of(node))
    ((damage,), summary) = await verify(node)
    assert (damage.subject, damage.repaired, damage.obstacle) == (f"layer {image.layers[-1]}", False, "")
    assert words in damage.problem
    assert name in damage.images
    accesses = len(registry.accesses())
    ((damage,), summary) = await verify(node, name, repair=True)
    assert damage.repaired
    assert (summary.damaged, summary.repaired) == (1, 1)
    assert (await verify(node))[0] == []
    assert len(registry.accesses()) == accesses  # from the blob that is here
    assert node.service.get(name) == image
    await node.restart()
    assert node.service.get(name) == image
    await node.service.remove(name)
    await node.service.close()
    assert node.leftovers() == []


BLOB_DAMAGE: dict[str, tuple[Spoil, str]] = {
    "flipped": (rewritten, "has the digest"),
    "cut": (lambda path: os.truncate(path, 10), "has the digest"),
    "zeroed": (lambda path: path.write_bytes(bytes(path.stat().st_size)), "has the digest"),
    "gone": (lambda path: path.unlink(), "is missing"),
}


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
@pytest.mark.parametrize("case", BLOB_DAMAGE)
async def test_a_damaged_blob(case: str, which: str, node: Node, name: str) -> None:
    digest = {"manifest": IMAGE.digest, "config": IMAGE.image_id, "layer": EXTRA.digest}[which]
    spoil, words = BLOB_DAMAGE[case]
    await node.service.pull(name)
    spoil(Path(node.service.catalog.blobs.path(digest)))
    ((damage,), _) = await verify(node)
    assert damage.subject == digest
    assert words in damage.problem
    ((damage,), _) = await verify(node, repair=True)
    assert (damage.repaired, damage.obstacle) == (True, "")
    assert (await verify(node))[0] == []


async def test_the_translated_manifest_is_made_again(node: Node, registry: Registry) -> None:
    name = f"{registry.host}/busybox:docker"
    image_id = await node.service.pull(name)
    listed = next(iter(node.service.catalog.records[image_id].targets.values())).listed
    Path(node.service.catalog.blobs.path(listed)).unlink()
    ((damage,), _) = await verify(node, repair=True)
    assert (damage.subject, damage.repaired) == (listed, True)
    assert (await verify(node))[0] == []


async def test_what_no_registry_has_any_more(node: Node, name: str, registry: Registry) -> None:
    await node.service.pull(name)
    Path(node.service.catalog.blobs.path(EXTRA.digest)).unlink()
    served = registry.blob_path(EXTRA.digest)
    kept = served.read_bytes()
    served.unlink()
    try:
        ((damage,), summary) = await verify(node, repair=True)
    finally:
        served.write_bytes(kept)
    assert not damage.repaired
    assert "cannot be fetched again" in damage.obstacle
    assert (summary.unchecked_layers, summary.repaired) == (1, 0)


async def test_a_layer_in_use_is_left_alone(node: Node, name: str) -> None:
    image_id = await node.service.pull(name)
    node.service.hold("0123456789abcdef", image_id)
    (tree_of(node) / "etc/extra").touch()
    ((damage,), _) = await verify(node, repair=True)
    assert (damage.repaired, damage.obstacle) == (
        False,
        "containers have it mounted: remove 0123456789ab, and repair again",
    )
    assert (tree_of(node) / "etc/extra").exists()
    node.service.release("0123456789abcdef")
    ((damage,), _) = await verify(node, repair=True)
    assert damage.repaired


async def test_shared_layers_are_looked_at_once(node: Node, name: str, registry: Registry) -> None:
    await node.service.pull(name)
    await node.service.pull(f"{registry.host}/busybox:1")
    _, summary = await verify(node)
    assert (summary.images, summary.layers) == (2, 2)


async def test_dropped_blobs_are_no_damage(make_node: MakeNode, name: str) -> None:
    node = await make_node(images={"keep_blobs": False})
    await node.service.pull(name)
    damages, summary = await verify(node, keep_blobs=False)
    assert damages == []
    assert (summary.blobs, summary.layers, summary.unchecked_layers) == (2, 2, 2)


async def test_an_artifact(node: Node, registry: Registry) -> None:
    """Its files are its blobs, by hard links: what damages one damages both, and both are mended."""
    registry.push("verify/model:1", artifact_of({"weights/model.bin": b"1.5 2.5", "README": b"small"}))
    image_id = await node.service.pull(f"{registry.host}/verify/model:1")
    assert (await verify(node))[0] == []
    tree = Path(node.service.catalog.layers.path(node.service.get(image_id).layers[0]))
    (tree / "weights/model.bin").write_bytes(b"9.9 9.9")
    damages, _ = await verify(node)
    assert [damage.problem for damage in damages if damage.subject.startswith("layer")] == [
        "/weights/model.bin: has another content"
    ]
    (tree / "README").unlink()
    damages, _ = await verify(node, repair=True)
    assert [(damage.repaired, damage.obstacle) for damage in damages] == [(True, "")] * 2
    assert (tree / "weights/model.bin").read_bytes() == b"1.5 2.5"
    assert (tree / "README").read_bytes() == b"small"
    assert (await verify(node))[0] == []
