"""subPath: only what is in the volume is bound."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from podwright.agent.volumes.subpaths import bind_subpath, checked_subpath
from podwright.errors import InvalidArgument
from podwright.linux import detached
from podwright.linux.mount import read_mounts
from tests.agent.volumes.conftest import mounts_in


@pytest.mark.parametrize("path", ["/abs", "..", "../x", "a/../b", "a/.."])
def test_paths_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="SubPath"):
        checked_subpath(path)


@pytest.mark.parametrize("path", ["a", "a/b", "a..b", "..a", "."])
def test_paths_that_stay_inside(path: str) -> None:
    assert checked_subpath(path) == path


@pytest.fixture
def volume(root: Path) -> Path:
    path = root / "volume"
    (path / "dir").mkdir(parents=True)
    (path / "dir/file").write_text("in the volume")
    (root / "secret").write_text("of the machine")
    return path


def bind(volume: Path, subpath: str) -> Path:
    target = volume.parent / "volume-subpaths/v/main/0"
    bind_subpath(str(volume), subpath, str(target))
    return target


@pytest.mark.root
def test_a_directory_and_a_file_are_bound(root: Path, volume: Path) -> None:
    target = bind(volume, "dir")
    assert (target / "file").read_text() == "in the volume"
    target = bind(volume, "dir/file")
    assert target.read_text() == "in the volume"
    target = bind(volume, "dir")
    assert mounts_in(root) == [str(target)]
    assert (volume / "dir/file").read_text() == "in the volume"


@pytest.mark.root
def test_what_is_bound_stays(volume: Path) -> None:
    target = bind(volume, "dir")
    (before,) = (point.mount_id for point in read_mounts() if point.target == str(target))
    bind(volume, "dir")
    assert [point.mount_id for point in read_mounts() if point.target == str(target)] == [before]


@pytest.mark.root
def test_what_is_missing_is_made_with_the_volumes_mode(volume: Path) -> None:
    volume.chmod(0o2775)
    old = os.umask(0o077)
    try:
        bind(volume, "new/deep")
    finally:
        os.umask(old)
    for path in ("new", "new/deep"):
        assert stat.S_IMODE((volume / path).stat().st_mode) == 0o2775


@pytest.mark.root
def test_links_inside_the_volume_are_followed(volume: Path) -> None:
    (volume / "..data").symlink_to("dir")
    (volume / "key").symlink_to("..data/file")
    (volume / "made").symlink_to("dir")
    assert bind(volume, "key").read_text() == "in the volume"
    bind(volume, "made/new")
    assert (volume / "dir/new").is_dir()


@pytest.mark.root
@pytest.mark.parametrize("link", ["/", "/etc", "..", "../secret", "dir/../../secret", "/proc/self/root", "loop"])
@pytest.mark.parametrize("subpath", ["loop", "loop/x", "loop/etc"])
def test_links_that_lead_out_are_refused(root: Path, volume: Path, link: str, subpath: str) -> None:
    (volume / "loop").symlink_to(link)
    with pytest.raises(OSError, match=r"cross-device|symbolic links|Not a directory|No such file"):
        bind(volume, subpath)
    assert mounts_in(root) == []
    assert not (root / "x").exists()
    assert not (root / "etc").exists()


@pytest.mark.root
def test_a_part_that_is_a_file_is_refused(root: Path, volume: Path) -> None:
    with pytest.raises(NotADirectoryError):
        bind(volume, "dir/file/x")
    assert mounts_in(root) == []


@pytest.mark.root
def test_a_directory_that_is_swapped_for_a_link_meanwhile_leads_nowhere(root: Path, volume: Path) -> None:
    outside = root / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub/mark").write_text("x")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):  # the binder makes directories in between
                (volume / "x/sub").mkdir(parents=True, exist_ok=True)
                os.rename(volume / "x", volume / "away")
                (volume / "x").symlink_to(outside)
                (volume / "x").unlink()
                os.rename(volume / "away", volume / "x")
            shutil.rmtree(volume / "away", ignore_errors=True)

    swapper = threading.Thread(target=swap)
    swapper.start()
    bound = tries = 0
    try:
        while tries < 400 or (not bound and tries < 100_000):  # on a busy machine the swapper may win for long
            tries += 1
            with contextlib.suppress(OSError):
                target = bind(volume, "x/sub/new")
                bound += 1
                detached.detach(str(target))
                target.rmdir()
    finally:
        stop.set()
        swapper.join()
    assert bound > 0
    assert sorted(path.name for path in (outside / "sub").iterdir()) == ["mark"]
