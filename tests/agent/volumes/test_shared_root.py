"""The root directory as a shared mount."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from podwright.agent.volumes.shared_root import make_shared, undo_shared
from podwright.linux.mount import MountPoint, read_mounts

pytestmark = pytest.mark.root


def at(path: Path) -> list[MountPoint]:
    return [point for point in read_mounts() if point.target == str(path)]


def test_a_private_root_becomes_a_shared_mount_of_its_own(root: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], check=True)
    subprocess.run(["mount", "--make-private", root], check=True)
    inner = root / "inner"
    inner.mkdir()
    assert make_shared(str(inner))
    assert [point.propagation for point in at(inner)] == [frozenset({"shared"})]
    assert not make_shared(str(inner))
    assert len(at(inner)) == 1


def test_what_is_mounted_below_stays_visible(root: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], check=True)
    subprocess.run(["mount", "--make-private", root], check=True)
    (root / "inner/volume").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root / "inner/volume"], check=True)
    (root / "inner/volume/data").write_text("x")
    make_shared(str(root / "inner"))
    assert (root / "inner/volume/data").read_text() == "x"


def test_a_root_on_a_shared_mount_stays_as_it_is(root: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], check=True)
    subprocess.run(["mount", "--make-shared", root], check=True)
    (root / "inner").mkdir()
    assert not make_shared(str(root / "inner"))
    assert at(root / "inner") == []


def test_it_can_be_undone(root: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], check=True)
    subprocess.run(["mount", "--make-private", root], check=True)
    (root / "inner").mkdir()
    (root / "inner/kept").write_text("x")
    make_shared(str(root / "inner"))
    undo_shared(str(root / "inner"))
    undo_shared(str(root / "inner"))
    assert at(root / "inner") == []
    assert (root / "inner/kept").read_text() == "x"
