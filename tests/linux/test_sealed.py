"""Sealed copies of programs: what runs, what cannot be changed, and what is left alone."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from podwright.linux.sealed import SEALS, SealedProgram

TRUE, FALSE = "/bin/true", "/bin/false"


def _exit_code(path: str) -> int:
    return subprocess.run([path], check=False).returncode


def test_the_copy_runs_under_the_programs_name_and_nobody_can_change_it(tmp_path: Path) -> None:
    link = tmp_path / "programs" / "true"
    sealed = SealedProgram(TRUE, str(link))
    assert not link.parent.exists()  # nothing is copied that nobody runs
    path = sealed.path()
    assert path == str(link)
    assert _exit_code(path) == 0
    assert Path(path).read_bytes() == Path(TRUE).read_bytes()
    fd = os.open(path, os.O_RDONLY)
    try:
        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS
    finally:
        os.close(fd)
    with pytest.raises(PermissionError), open(path, "r+b") as file:
        file.write(b"x")


def test_a_program_that_was_replaced_is_copied_again(tmp_path: Path) -> None:
    program, link = tmp_path / "program", tmp_path / "link"
    link.symlink_to("/proc/1/fd/99")  # of a daemon that is gone
    shutil.copy(TRUE, program)
    sealed = SealedProgram(str(program), str(link))
    assert _exit_code(sealed.path()) == 0
    shutil.copy(FALSE, tmp_path / "newer")
    (tmp_path / "newer").rename(program)
    about_to_run = str(link)  # a path that was handed out before the change
    assert _exit_code(sealed.path()) == 1
    assert _exit_code(about_to_run) == 1


def test_scripts_and_missing_programs_stay_as_they_are(tmp_path: Path) -> None:
    program, link = tmp_path / "program", tmp_path / "link"
    sealed = SealedProgram(str(program), str(link))
    assert sealed.path() == str(program)
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    assert sealed.path() == str(program)
    assert _exit_code(sealed.path()) == 3
    shutil.copy(TRUE, program)
    assert sealed.path() == str(link)
    program.write_text("#!/bin/sh\nexit 4\n")
    assert sealed.path() == str(program)


def test_a_program_whose_copy_has_no_place_runs_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sealed = SealedProgram(TRUE, str(tmp_path / "file" / "link"))
    assert [sealed.path(), sealed.path()] == [TRUE, TRUE]


def test_crun_takes_the_copy_for_its_own(tmp_path: Path) -> None:
    """It executes itself once more when it does not, which the dynamic linker tells."""
    crun = shutil.which("crun")
    assert crun is not None
    sealed = SealedProgram(crun, str(tmp_path / "crun"))
    for path, executions in ((crun, 2), (sealed.path(), 1)):
        argv = [path, f"--root={tmp_path}/state", "list"]
        done = subprocess.run(argv, check=True, capture_output=True, env={"LD_DEBUG": "files"})
        assert len(re.findall(rb"calling init: .*/libc\.so", done.stderr)) == executions
