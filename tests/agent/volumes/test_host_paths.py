"""hostPath's types."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from podwright.agent.volumes.host_paths import TYPES, check_host_path
from podwright.agent.volumes.plans import HostPathPlan
from podwright.errors import FailedPrecondition


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("", "none", None),
        ("", "file", None),
        ("DirectoryOrCreate", "new/deep", None),
        ("DirectoryOrCreate", "dir", None),
        ("DirectoryOrCreate", "link", None),
        ("DirectoryOrCreate", "file", "is not a directory"),
        ("Directory", "dir", None),
        ("Directory", "none", "is not a directory"),
        ("Directory", "file", "is not a directory"),
        ("Directory", "file/x", "is not a directory"),
        ("FileOrCreate", "new-file", None),
        ("FileOrCreate", "file", None),
        ("FileOrCreate", "dir", "is not a file"),
        ("File", "file", None),
        ("File", "dir", "is not a file"),
        ("File", "none", "is not a file"),
        ("Socket", "socket", None),
        ("Socket", "file", "is not a socket file"),
        ("CharDevice", "/dev/null", None),
        ("CharDevice", "file", "is not a character device"),
        ("BlockDevice", "/dev/null", "is not a block device"),
    ],
)
def test_each_type(tmp_path: Path, kind: str, name: str, problem: str | None) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("dir")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        plan = HostPathPlan(path=os.path.join(tmp_path, name), type=kind)
        if problem is None:
            check_host_path(plan)
        else:
            with pytest.raises(FailedPrecondition, match=f"hostPath type check failed: .*{problem}"):
                check_host_path(plan)
    assert (tmp_path / "file").read_text() == "x"


def test_what_is_made_has_the_kubelets_modes(tmp_path: Path) -> None:
    check_host_path(HostPathPlan(path=str(tmp_path / "d"), type="DirectoryOrCreate"))
    check_host_path(HostPathPlan(path=str(tmp_path / "f"), type="FileOrCreate"))
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o644


def test_the_directory_of_a_new_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_host_path(HostPathPlan(path=str(tmp_path / "none/f"), type="FileOrCreate"))


def test_all_types_of_the_api_are_known() -> None:
    wanted = {"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"}
    assert set(TYPES) == wanted
