"""A power cut: what was not synced may be gone, cut short or full of zeros. It costs work, never correctness.

The cut is played: files that nobody has synced are spoiled, and the records say that they are of an earlier boot.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from podwright.runtime.model.image_store import Damage
from tests.runtime.archive.archives import oci_members, tar
from tests.runtime.image.node import Node
from tests.runtime.image.test_archives import load
from tests.runtime.image.test_verifying import IMAGE, verify
from tools.registry import Registry

pytestmark = pytest.mark.root

Spoil = Callable[[Path], None]


def cut(path: Path) -> None:
    os.truncate(path, 0)


def zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


SPOILS: dict[str, Spoil] = {"cut": cut, "zeroed": zeroed, "gone": Path.unlink}


def spoil_files(folder: Path, spoil: Spoil) -> None:
    """Every regular file below a folder."""
    for path in list(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            spoil(path)


async def lose_power(node: Node, spoil: Spoil, *, synced: bool) -> None:
    """Layers that are not known to be on the disk, the index and everything half-written are spoiled; a new boot."""
    await node.close()
    if not synced:
        spoil_files(node.layers_dir, spoil)
    (node.root / "images/ingest/half").write_bytes(bytes(100_000))
    spoil(node.root / "images/index.json")
    node.open()
    node.database.execute(
        "UPDATE layers SET record = json_set(record, '$.boot_id', 'another', '$.synced', json(?))",
        "true" if synced else "false",
    )
    await node.restart()


@pytest.fixture
def name(registry: Registry) -> str:
    registry.push("power:1", IMAGE)
    return f"{registry.host}/power:1"


async def no_damage(node: Node) -> None:
    damages, _ = await verify(node)
    assert damages == list[Damage]()


@pytest.mark.parametrize("synced", [False, True], ids=["before-the-sync", "after-the-sync"])
@pytest.mark.parametrize("case", SPOILS)
async def test_a_pulled_image_is_unpacked_again_without_its_registry(
    case: str, synced: bool, node: Node, name: str, registry: Registry
) -> None:
    await node.service.pull(name)
    image, index = node.service.get(name), (node.root / "images/index.json").read_bytes()
    accesses = len(registry.accesses())
    await lose_power(node, SPOILS[case], synced=synced)
    assert node.service.get(name) == image
    await no_damage(node)
    assert (node.root / "images/index.json").read_bytes() == index
    assert list((node.root / "images/ingest").iterdir()) == []
    assert len(registry.accesses()) == accesses


@pytest.mark.parametrize("case", SPOILS)
async def test_a_loaded_image_is_unpacked_again(case: str, node: Node) -> None:
    await load(node, tar(oci_members({"a:1": IMAGE})))
    await lose_power(node, SPOILS[case], synced=False)
    assert node.service.get("a:1").id == IMAGE.image_id
    await no_damage(node)


async def test_records_that_were_not_written_yet(node: Node, name: str) -> None:
    """The database's log loses its end: what it knew nothing of is litter, and is pulled again."""
    await node.close()
    kept = node.root / "kept"
    kept.mkdir()
    for file in node.root.glob("state.db*"):
        shutil.copy2(file, kept)
    node.open()
    await node.service.recover()
    image_id = await node.service.pull(name)
    await node.close()
    for file in node.root.glob("state.db*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy2(file, node.root)
    node.open()
    await node.service.recover()
    assert node.leftovers() == []
    assert await node.service.pull(name) == image_id
    await no_damage(node)
