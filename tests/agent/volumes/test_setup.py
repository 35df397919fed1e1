"""Setting volumes up on the real thing: directories, tmpfs, huge pages."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from podwright.agent.volumes import places, setup
from podwright.agent.volumes.ownership import OwnershipProgress
from podwright.agent.volumes.plans import (
    EmptyDirPlan,
    FilesPlan,
    HugePages,
    Medium,
    MemoryFilesystem,
    PayloadFile,
    Plan,
)
from podwright.errors import FailedPrecondition
from podwright.linux import mount
from tests.agent.volumes.build import MIB, NOW_NS
from tests.agent.volumes.conftest import mounts_in

pytestmark = pytest.mark.root
FILES = (PayloadFile(path="a/b", data=b"1", mode=0o640),)


def empty(root: Path, medium: Medium = None, group: int | None = None, *, is_wrapped: bool = False) -> EmptyDirPlan:
    pod = f"{root}/pods/u1"
    return EmptyDirPlan(
        path=places.volume_directory(pod, places.EMPTY_DIR, "v"),
        ready=places.ready_directory(pod, "v", is_wrapped=is_wrapped),
        medium=medium,
        group=group,
    )


def set_up(plan: Plan) -> None:
    setup.set_up(plan, NOW_NS, OwnershipProgress())


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_directory_on_disk(root: Path) -> None:
    plan = empty(root)
    old = os.umask(0o077)
    try:
        set_up(plan)
    finally:
        os.umask(old)
    assert mode(plan.path) == 0o777
    assert mode(root / "pods/u1") == mode(root / "pods/u1/volumes") & 0o750
    assert (Path(plan.ready) / "ready").is_file()
    assert setup.is_there(plan)
    assert mounts_in(root) == []


@pytest.mark.parametrize(("medium", "wanted"), [(None, 0o2777), (MemoryFilesystem(size_bytes=MIB), 0o3777)])
def test_the_group_of_an_empty_dir(root: Path, medium: Medium, wanted: int) -> None:
    plan = empty(root, medium, group=4242)
    set_up(plan)
    assert os.stat(plan.path).st_gid == 4242
    assert mode(plan.path) == wanted


def test_a_tmpfs_of_a_size(root: Path) -> None:
    plan = empty(root, MemoryFilesystem(size_bytes=MIB))
    set_up(plan)
    assert mounts_in(root) == [plan.path]
    assert mode(plan.path) == 0o1777
    with pytest.raises(OSError, match="No space left on device"):
        Path(plan.path, "large").write_bytes(bytes(2 * MIB))


def test_what_is_ready_is_not_touched_again(root: Path) -> None:
    for plan in (empty(root), empty(root, MemoryFilesystem(size_bytes=MIB))):
        set_up(plan)
        Path(plan.path, "mine").write_text("x")
        os.chmod(plan.path, 0o700)
        set_up(plan)
        assert mode(plan.path) == 0o700
        assert Path(plan.path, "mine").read_text() == "x"
        assert len(mounts_in(root)) == (plan.medium is not None)
        shutil.rmtree(plan.ready)


def test_a_mount_without_its_marker_is_used(root: Path) -> None:
    """The agent was killed between the two."""
    plan = empty(root, MemoryFilesystem(size_bytes=MIB), group=4242)
    set_up(plan)
    Path(plan.ready, "ready").unlink()
    os.chown(plan.path, 0, 0)
    set_up(plan)
    assert mounts_in(root) == [plan.path]
    assert os.stat(plan.path).st_gid == 4242


def test_a_marker_without_its_mount_means_nothing(root: Path) -> None:
    """The machine was booted again: the disk has the marker, the memory is lost."""
    plan = empty(root, MemoryFilesystem(size_bytes=MIB))
    set_up(plan)
    mount.unmount(plan.path)
    assert not setup.is_there(plan)
    set_up(plan)
    assert mounts_in(root) == [plan.path]


def test_a_marker_without_its_directory_means_nothing(root: Path) -> None:
    plan = empty(root)
    set_up(plan)
    os.rmdir(plan.path)
    set_up(plan)
    assert setup.is_there(plan)


def test_files_in_memory_with_mount_points(root: Path) -> None:
    directory = empty(root, MemoryFilesystem(size_bytes=MIB), is_wrapped=True)
    plan = FilesPlan(directory=directory, files=FILES, mount_points=("inner/deep",))
    set_up(plan)
    assert Path(directory.path, "a/b").read_bytes() == b"1"
    assert Path(directory.path, "inner/deep").is_dir()
    assert (root / "pods/u1/plugins/kubernetes.io~empty-dir/wrapped_v/ready").is_file()
    before = os.readlink(f"{directory.path}/..data")
    set_up(plan)
    assert os.readlink(f"{directory.path}/..data") == before
    assert mounts_in(root) == [directory.path]


def test_huge_pages(root: Path) -> None:
    plan = empty(root, HugePages(page_bytes=2 * MIB))
    set_up(plan)
    (point,) = (point for point in mount.read_mounts() if point.target == plan.path)
    assert point.filesystem == "hugetlbfs"
    assert os.statvfs(plan.path).f_bsize == 2 * MIB


def test_huge_pages_of_a_size_that_the_machine_lacks(root: Path) -> None:
    with pytest.raises(FailedPrecondition, match="huge pages of 12345 bytes cannot be mounted"):
        set_up(empty(root, HugePages(page_bytes=12345)))
    assert mounts_in(root) == []
