"""Trees of mounts that are changed before they are attached: the real thing, on mounts of our own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.linux import detached, libc, mount
from tests.linux.userns import child_in_user_namespace

pytestmark = pytest.mark.root


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """`tree` is a tmpfs with another one on `tree/below`, shared as a systemd host's mounts are."""
    top, below = tmp_path / "tree", tmp_path / "tree" / "below"
    top.mkdir()
    mount.mount_tmpfs(str(top), size_bytes=1 << 20, mode=0o755)
    try:
        libc.mount("none", str(top), None, mount.MS_SHARED, None)
        below.mkdir()
        mount.mount_tmpfs(str(below), size_bytes=1 << 20, mode=0o755)
        (top / "file").touch()
        yield top
    finally:
        mount.unmount(str(below))
        mount.unmount(str(top))


@contextlib.contextmanager
def _attached(copy: int, target: Path) -> Iterator[Path]:
    target.mkdir()
    detached.attach(copy, str(target))
    try:
        yield target
    finally:
        detached.detach(str(target))


def test_this_kernel_has_them() -> None:
    assert detached.is_supported()


def test_read_only_all_the_way_down(tree: Path, tmp_path: Path) -> None:
    with detached.cloned(str(tree), recursive=True) as copy:
        detached.make_read_only(copy)
        with _attached(copy, tmp_path / "copy") as target:
            for folder in (target, target / "below"):
                with pytest.raises(OSError, match="Read-only"):
                    (folder / "new").touch()
    (tree / "below" / "new").touch()


def test_without_what_lies_below(tree: Path, tmp_path: Path) -> None:
    (tree / "below" / "hidden").touch()
    with (
        detached.cloned(str(tree), recursive=False) as copy,
        _attached(copy, tmp_path / "copy") as target,
    ):
        assert (target / "file").exists()
        assert not (target / "below" / "hidden").exists()


def test_taking_a_copy_away_leaves_the_original_whole(tree: Path, tmp_path: Path) -> None:
    with detached.cloned(str(tree), recursive=True) as copy, _attached(copy, tmp_path / "copy"):
        pass
    assert os.path.ismount(tree / "below")
    assert not os.path.ismount(tmp_path / "copy")
    detached.detach(str(tmp_path / "copy"))
    detached.detach(str(tmp_path / "nothing"))


@pytest.mark.parametrize(("propagation", "follows"), [(mount.MS_SLAVE, True), (mount.MS_PRIVATE, False)])
def test_propagation(tree: Path, tmp_path: Path, propagation: int, follows: bool) -> None:
    with detached.cloned(str(tree), recursive=True) as copy:
        detached.set_propagation(copy, propagation)
        with _attached(copy, tmp_path / "copy") as target:
            mount.unmount(str(tree / "below"))
            assert os.path.ismount(target / "below") is not follows


def test_owners_through_a_user_namespace(tree: Path, tmp_path: Path) -> None:
    os.chown(tree / "file", 5, 6)
    with (
        child_in_user_namespace("0 70000 1000") as pid,
        open(f"/proc/{pid}/ns/user") as namespace,
        detached.cloned(str(tree), recursive=True) as copy,
    ):
        detached.map_ids(copy, namespace.fileno())
        with _attached(copy, tmp_path / "copy") as target:
            shown = os.stat(target / "file")
            assert (shown.st_uid, shown.st_gid) == (70005, 70006)
            assert os.stat(target / "below").st_uid == 0
    assert os.stat(tree / "file").st_uid == 5


def test_a_filesystem_that_cannot_map(tmp_path: Path) -> None:
    with (
        child_in_user_namespace("0 70000 1000") as pid,
        open(f"/proc/{pid}/ns/user") as namespace,
        detached.cloned("/proc", recursive=False) as copy,
        pytest.raises(OSError, match="Invalid argument"),
    ):
        detached.map_ids(copy, namespace.fileno())
