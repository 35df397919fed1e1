"""Volumes on a real filesystem; with root, mounts too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.agent.seed.volumes.payload import write_payload
from podwright.agent.seed.volumes.plan import (
    DirectoryPlan,
    FilesPlan,
    HostPathPlan,
    PayloadFile,
    TmpfsPlan,
    VolumePlan,
)
from podwright.agent.seed.volumes.prepare import prepare_volumes, remove_pod_directory
from podwright.agent.seed.volumes.subpath import bind_subpath
from podwright.errors import FailedPrecondition, InvalidArgument

FILES = (
    PayloadFile(path="a/b", data=b"deep", mode=0o600),
    PayloadFile(path="a/c", data=b"", mode=0o644),
    PayloadFile(path="top", data=b"\0\xff", mode=0o444),
)


def prepare(plan: VolumePlan) -> None:
    prepare_volumes({"v": plan})


def test_an_empty_dir_is_open_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        prepare(DirectoryPlan(path=str(tmp_path / "x/v")))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x/v").stat().st_mode) == 0o777


def test_payload_files_appear_all_at_once_behind_a_link(tmp_path: Path) -> None:
    write_payload(str(tmp_path), FILES, None)
    assert (tmp_path / "a/b").read_bytes() == b"deep"
    assert (tmp_path / "top").read_bytes() == b"\0\xff"
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o600
    assert (tmp_path / "top").readlink() == Path("..data/top")
    assert (tmp_path / "..data").is_symlink()
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("..")) == ["a", "top"]


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("Directory", "none", "does not exist"),
        ("File", "dir", "is not a file"),
        ("Directory", "file", "is not a directory"),
        ("Socket", "file", "is not a socket"),
        ("CharDevice", "file", "is not a character device"),
        ("BlockDevice", "dir", "is not a block device"),
        ("DirectoryOrCreate", "new/deep", None),
        ("FileOrCreate", "new-file", None),
        ("FileOrCreate", "file", None),
        ("Directory", "dir", None),
        ("", "none", None),
    ],
)
def test_host_path_types(tmp_path: Path, kind: str, name: str, problem: str | None) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("x")
    plan = HostPathPlan(path=str(tmp_path / name), type=kind)  # type: ignore[arg-type] # the table's words
    if problem is None:
        prepare(plan)
    else:
        with pytest.raises(FailedPrecondition, match=problem) as caught:
            prepare(plan)
        assert "volume v" in str(caught.value)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.root
def test_a_pods_directory_goes_with_its_mounts_and_without_what_they_show(tmp_path: Path) -> None:
    host, pod = tmp_path / "host", tmp_path / "pod"
    (host / "keep").mkdir(parents=True)
    (host / "keep/file").write_text("precious")
    try:
        prepare_volumes(
            {
                "memory": TmpfsPlan(path=str(pod / "m"), size_bytes=2**20, group=123),
                "secret": FilesPlan(path=str(pod / "s"), files=FILES, in_memory=True, group=123),
            }
        )
        bind_subpath(str(host), "keep", str(pod / "sub/0"))
        assert (pod / "sub/0/file").read_text() == "precious"
        assert os.statvfs(pod / "m").f_blocks * os.statvfs(pod / "m").f_frsize == 2**20
        assert stat.S_IMODE((pod / "m").stat().st_mode) == 0o2777
        assert (pod / "s/a/b").stat().st_gid == 123
        assert stat.S_IMODE((pod / "s/a/b").stat().st_mode) == 0o640
    finally:
        remove_pod_directory(str(pod))
    assert not pod.exists()
    assert (host / "keep/file").read_text() == "precious"


@pytest.mark.root
@pytest.mark.parametrize(
    ("subpath", "seen"),
    [
        ("dir", "inside"),
        ("link", "inside"),
        ("new/deep", None),
        ("escape/dir", None),
        ("absolute", None),
    ],
)
def test_a_sub_path_stays_inside(tmp_path: Path, subpath: str, seen: str | None) -> None:
    volume, pod = tmp_path / "volume", tmp_path / "pod"
    (volume / "dir").mkdir(parents=True)
    volume.chmod(0o751)
    (volume / "dir/mark").write_text("inside")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/mark").write_text("outside")
    (volume / "link").symlink_to("/dir")
    (volume / "escape").symlink_to("../../../../../../../..")
    (volume / "absolute").symlink_to(tmp_path)
    try:
        try:
            bind_subpath(str(volume), subpath, str(pod / "t"))
        except (FailedPrecondition, InvalidArgument):
            assert subpath == "absolute"
            return
        mark = pod / "t/mark"
        assert (mark.read_text() if mark.exists() else None) in (seen, "inside")
        if subpath == "new/deep":
            assert stat.S_IMODE((volume / "new/deep").stat().st_mode) == 0o751
    finally:
        remove_pod_directory(str(pod))
    assert (tmp_path / "dir/mark").read_text() == "outside"


@pytest.mark.root
def test_a_file_can_be_a_sub_path(tmp_path: Path) -> None:
    volume, pod = tmp_path / "volume", tmp_path / "pod"
    volume.mkdir()
    write_payload(str(volume), FILES, None)
    try:
        bind_subpath(str(volume), "a/b", str(pod / "f"))
        assert (pod / "f").read_bytes() == b"deep"
        with pytest.raises(InvalidArgument, match="not a directory"):
            bind_subpath(str(volume), "top/x", str(pod / "g"))
    finally:
        remove_pod_directory(str(pod))
