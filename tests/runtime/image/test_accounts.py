"""Accounting: shared and unique bytes (pure), the numbers against du, and what pruning and pinning do."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from podwright.runtime.image.records import Hold, ImageRecord, ImageTarget
from podwright.runtime.image.tools.accounts import Accountant, Sizes, account, prunable
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import Image
from podwright.runtime.model.image_store import ImageAccount
from tests.runtime.image.node import MakeNode, Node
from tools.images import Entry, busybox_image, busybox_layer, layer_of
from tools.registry import Registry


def record(
    image_id: str, layers: tuple[str, ...], *, tags: tuple[str, ...] = ("t",), pinned: bool = False
) -> ImageRecord:
    blobs = (f"config-{image_id}", *(f"blob-{layer}" for layer in layers))
    target = ImageTarget(digest="d", manifest="m", listed="l", listed_bytes=1, blobs=blobs)
    image = Image(id=ImageId(image_id), size_bytes=1, layers=layers, repo_tags=tags, pinned=pinned)
    return ImageRecord(image=image, targets=dict.fromkeys(tags or ("n@d",), target))


RECORDS = {
    "one": record("one", ("base", "top1")),
    "two": record("two", ("base", "top2"), tags=()),
    "pinned": record("pinned", ("own",), tags=(), pinned=True),
}
SIZES = Sizes(
    blobs={"config-one": 1, "config-two": 1, "config-pinned": 1, "blob-base": 100, "blob-top1": 10},  # others: dropped
    layers={"base": 1000, "top1": 20, "top2": 30, "own": 5},
)


def test_shared_and_unique() -> None:
    found = account(RECORDS, {"c": Hold(layers=("base", "top1"), images=("one",))}, SIZES)
    assert [(one.image.id, one.size_bytes, one.shared_bytes, one.containers) for one in found] == [
        ("one", 1131, 1100, 1),
        ("two", 1131, 1100, 0),
        ("pinned", 6, 0, 0),
    ]


@pytest.mark.parametrize(
    ("everything", "used", "expected"),
    [(True, (), {"one", "two"}), (False, (), {"two"}), (True, ("two",), {"one"}), (False, ("two",), set())],
)
def test_prunable(everything: bool, used: tuple[str, ...], expected: set[str]) -> None:
    holds: Mapping[str, Hold] = {"c": Hold(layers=(), images=used)}
    assert prunable(RECORDS, holds, everything=everything) == expected


def disk_usage(*paths: Path) -> int:
    """As du counts, of everything below the paths and without themselves."""
    lines = subprocess.run(
        ["du", "-B1", "--max-depth=0", *paths], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return sum(int(line.split()[0]) for line in lines) - sum(path.stat().st_blocks * 512 for path in paths)


def blobs_and_layers(node: Node) -> tuple[Path, Path]:
    return node.root / "images/blobs/sha256", node.layers_dir


@pytest.fixture
def family(registry: Registry) -> tuple[str, str]:
    """Two images over one base."""
    for number in (1, 2):
        files = [Entry(f"f{number}{index}", 0o644, "file", bytes([number]) * 5000 * index) for index in range(9)]
        registry.push(f"family:{number}", busybox_image(layer_of(files)))
    return f"{registry.host}/family:1", f"{registry.host}/family:2"


@pytest.mark.root
async def test_against_du(node: Node, family: tuple[str, str]) -> None:
    for name in family:
        await node.service.pull(name)
    await node.service.close()
    accountant = Accountant(node.service.catalog)
    accounts = await accountant.accounts()
    blobs, layers = blobs_and_layers(node)
    assert accounts.blob_bytes == disk_usage(blobs)
    empty = disk_usage(layers / "empty") + (layers / "empty").stat().st_blocks * 512
    assert accounts.layer_bytes == pytest.approx(disk_usage(layers) - empty, rel=0.01)
    usage = await node.service.fs_usage()
    assert usage.used_bytes == accounts.blob_bytes + accounts.layer_bytes

    base_layer = node.service.catalog.layers.disk_bytes()[busybox_layer().diff_id.removeprefix("sha256:")]
    base_blob = Path(node.service.catalog.blobs.path(busybox_layer().digest)).stat().st_blocks * 512
    shared = {one.shared_bytes for one in accounts.images}
    assert shared == {base_layer + base_blob}
    unique = sum(one.size_bytes - one.shared_bytes for one in accounts.images)
    assert unique + base_layer + base_blob == accounts.blob_bytes + accounts.layer_bytes == accounts.prunable_bytes

    for one in accounts.images:  # what ListImages tells, in bytes instead of blocks
        assert one.image.size_bytes == pytest.approx(one.size_bytes, rel=0.02)

    first = next(one for one in accounts.images if family[0] in one.image.repo_tags)
    before = usage.used_bytes
    await node.service.remove(family[0])
    assert before - (await node.service.fs_usage()).used_bytes == first.size_bytes - first.shared_bytes


@pytest.mark.root
async def test_pruning(node: Node, family: tuple[str, str], registry: Registry) -> None:
    accountant = Accountant(node.service.catalog)
    for name in family:
        await node.service.pull(name)
    registry.push("family:1", busybox_image(Cmd=["newer"]))
    await node.service.pull(family[0])
    node.service.hold("c", node.service.get(family[1]).id)
    plan = await accountant.prune(everything=False, dry_run=True)
    assert len(node.service.list()) == 3
    (untagged,), freed = await accountant.prune(everything=False, dry_run=False)
    assert ([untagged], freed) == plan
    assert untagged.repo_tags == ()
    assert freed > 0
    before = await accountant.accounts()
    (other,), freed = await accountant.prune(everything=True, dry_run=False)
    after = await accountant.accounts()
    assert other.repo_tags == (family[0],)
    assert before.blob_bytes + before.layer_bytes - freed == after.blob_bytes + after.layer_bytes
    assert before.prunable_bytes == freed
    assert [image.repo_tags for image in node.service.list()] == [(family[1],)]


@pytest.mark.root
async def test_pinned_images(make_node: MakeNode, registry: Registry, family: tuple[str, str]) -> None:
    node = await make_node(images={"pinned": (f"{registry.host}/fam*:2",)})
    for name in family:
        await node.service.pull(name)
    assert [node.service.get(name).pinned for name in family] == [False, True]
    images, _ = await Accountant(node.service.catalog).prune(everything=True, dry_run=False)
    assert [image.repo_tags for image in images] == [(family[0],)]
    await node.service.remove(family[1])  # who names it means it
    assert node.leftovers() == []


@pytest.mark.root
async def test_pins_follow_the_configuration(make_node: MakeNode, family: tuple[str, str], tmp_path: Path) -> None:
    first = await make_node(root=tmp_path / "n")
    await first.service.pull(family[0])
    await first.close()
    second = await make_node(root=tmp_path / "n", images={"pinned": (family[0],)})
    assert second.service.get(family[0]).pinned
    await second.close()
    third = await make_node(root=tmp_path / "n", images={"keep_blobs": False})
    assert not third.service.get(family[0]).pinned
    assert len(third.blobs()) == 2
    accounts: tuple[ImageAccount, ...] = (await Accountant(third.service.catalog).accounts()).images
    assert accounts[0].size_bytes == (await third.service.fs_usage()).used_bytes
