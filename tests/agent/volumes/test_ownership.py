"""The fsGroup: groups and modes."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from podwright.agent.volumes.ownership import (
    ON_ROOT_MISMATCH,
    GroupChange,
    OwnershipProgress,
    change_group,
    fits,
    wanted_mode,
)

GROUP = 4242


@pytest.mark.parametrize(
    ("mode", "is_directory", "read_only", "expected"),
    [
        (0o600, False, False, 0o660),
        (0o600, False, True, 0o640),
        (0o444, False, False, 0o664),
        (0o4755, False, False, 0o4775),
        (0o700, True, False, 0o2770),
        (0o700, True, True, 0o2750),
        (0o1777, True, False, 0o3777),
        (0o755, True, True, 0o2755),
    ],
)
def test_the_bits_that_let_a_group_in(mode: int, is_directory: bool, read_only: bool, expected: int) -> None:
    assert wanted_mode(mode, is_directory=is_directory, read_only=read_only) == expected


def status(mode: int, gid: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, 0, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "gid", "read_only", "expected"),
    [
        (stat.S_IFDIR | 0o2770, GROUP, False, True),
        (stat.S_IFDIR | 0o2775, GROUP, False, True),
        (stat.S_IFDIR | 0o770, GROUP, False, False),
        (stat.S_IFDIR | 0o2750, GROUP, False, False),
        (stat.S_IFDIR | 0o2750, GROUP, True, True),
        (stat.S_IFDIR | 0o2770, 1, False, False),
        (stat.S_IFREG | 0o2770, GROUP, False, False),
    ],
)
def test_a_root_that_fits(mode: int, gid: int, read_only: bool, expected: bool) -> None:
    assert fits(status(mode, gid), GroupChange(group=GROUP, read_only=read_only)) is expected


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    top = tmp_path / "volume"
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/file").write_text("x")
    (top / "a/b/file").chmod(0o600)
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").chmod(0o600)
    (top / "link").symlink_to("../outside")
    return top


def give(volume: Path, change: GroupChange) -> int:
    """How many files were looked at."""
    progress = OwnershipProgress()
    change_group(str(volume), change, progress)
    return progress.files


@pytest.mark.root
def test_everything_gets_the_group_and_no_link_is_followed(volume: Path) -> None:
    assert give(volume, GroupChange(group=GROUP)) == 5
    for path in (volume, volume / "a", volume / "a/b", volume / "a/b/file", volume / "link"):
        assert path.lstat().st_gid == GROUP, path
    assert stat.S_IMODE((volume / "a/b/file").stat().st_mode) == 0o660
    assert stat.S_IMODE((volume / "a").stat().st_mode) & 0o2770 == 0o2770
    outside = (volume.parent / "outside").stat()
    assert (outside.st_gid, stat.S_IMODE(outside.st_mode)) == (0, 0o600)


@pytest.mark.root
def test_on_root_mismatch_trusts_a_root_that_fits(volume: Path) -> None:
    careful = GroupChange(group=GROUP, policy=ON_ROOT_MISMATCH)
    assert give(volume, careful) > 0
    os.chown(volume / "a/b/file", 0, 0)
    assert give(volume, careful) == 0
    assert (volume / "a/b/file").stat().st_gid == 0
    assert give(volume, GroupChange(group=GROUP)) == 5
    assert (volume / "a/b/file").stat().st_gid == GROUP


@pytest.mark.root
def test_a_link_that_is_swapped_in_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("x")
    before = (outside.stat().st_mode, (outside / "f").stat().st_mode)
    top = tmp_path / "volume"
    top.mkdir()
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (top / "x").mkdir()
            (top / "x/f").write_text("y")
            (top / "x/f").unlink()
            (top / "x").rmdir()
            (top / "x").symlink_to(outside)
            (top / "x").unlink()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(500):
            give(top, GroupChange(group=GROUP))
    finally:
        stop.set()
        swapper.join()
    assert (outside.stat().st_gid, (outside / "f").stat().st_gid) == (0, 0)
    assert (outside.stat().st_mode, (outside / "f").stat().st_mode) == before
