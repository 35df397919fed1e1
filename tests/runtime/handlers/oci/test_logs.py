"""Log files before the monitor has them, and who writes to which file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.handlers.oci import logs
from podwright.runtime.handlers.processes import log_files


@pytest.mark.parametrize("path", ["/l/0:.log", "/l/a/b:0.log"])
def test_a_name_that_conmon_would_cut_off(path: str) -> None:
    with pytest.raises(InvalidArgument, match="colon"):
        logs.check(path)


def test_a_colon_in_a_directory_is_kept_from_conmon(tmp_path: Path) -> None:
    bundle, log = tmp_path / "bundle", tmp_path / "a:b" / "0.log"
    bundle.mkdir()
    for _ in range(2):
        logs.prepare(str(bundle), str(log))
    path = logs.conmon_path(str(bundle), str(log))
    assert ":" not in path.removeprefix(str(tmp_path))
    assert os.path.samefile(path, log)
    assert logs.conmon_path(str(bundle), "/plain/0.log") == "/plain/0.log"
    logs.prepare(str(bundle), "")


def test_a_new_log_and_one_that_is_there(tmp_path: Path) -> None:
    log = tmp_path / "a/b/0.log"
    log_files.make(str(log))
    assert stat.S_IMODE(log.stat().st_mode) == 0o640
    log.write_text("kept")
    log.chmod(0o600)
    log_files.make(str(log))
    assert (log.read_text(), stat.S_IMODE(log.stat().st_mode)) == ("kept", 0o600)


@pytest.mark.parametrize("target", ["nowhere", "there"])
def test_a_link_is_no_log(tmp_path: Path, target: str) -> None:
    (tmp_path / "there").write_text("untouched")
    log = tmp_path / "0.log"
    log.symlink_to(target)
    log_files.make(str(log))
    assert not log.is_symlink()
    assert log.read_text() == ""
    assert (tmp_path / "there").read_text() == "untouched"


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    for name in ("directory", "fifo", "file/0.log", "x" * 300):
        with pytest.raises(FailedPrecondition, match=name):
            log_files.make(str(tmp_path / name))


def test_who_writes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    assert not logs.writes_to(os.getpid(), str(path))
    with path.open("w"):
        assert logs.writes_to(os.getpid(), str(path))
        path.rename(tmp_path / "old")
        path.touch()
        assert not logs.writes_to(os.getpid(), str(path))
        assert logs.writes_to(os.getpid(), str(tmp_path / "old"))
    assert not logs.writes_to(-1, str(path))
