"""The launcher, which stands between conmon and the OCI runtime: as machine code and in Python."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.linux import elf
from podwright.linux.libc import mount, umount2
from podwright.process import Command, PosixProcessRunner, keep_descriptors_to_ourselves
from podwright.runtime.handlers.oci import launcher

MS_NOEXEC = 8
RUNNER = PosixProcessRunner()
KINDS = 'for n in 0 1 2; do stat -Lc %F /proc/self/fd/$n; done >&2; umask >&2; echo "$0 $*" >&2; echo $WORD >&2'


@pytest.fixture(params=["here", "elsewhere"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    machine = os.uname().machine if request.param == "here" else "vax"
    return launcher.install(str(tmp_path / "bin/launcher"), umask=0o027, machine=machine)


async def _launch(prefix: tuple[str, ...], *command: str, fds: dict[int, int]) -> tuple[int, list[str]]:
    argv = (*prefix, *command)
    done = await RUNNER.run(
        Command(argv=argv, timeout_s=patient(60), fds=fds, env={"PATH": "/bin:/usr/bin", "WORD": "kept"})
    )
    return done.returncode, (done.stderr + done.stdout).decode().splitlines()


async def test_devices_are_replaced_by_pipes(prefix: tuple[str, ...]) -> None:
    with open("/dev/null", "r+b") as null:
        code, words = await _launch(
            prefix, "/bin/sh", "-c", f"{KINDS}; cat >&2", fds={0: null.fileno(), 1: null.fileno()}
        )
    assert words == [*["fifo"] * 3, "0027", "/bin/sh ", "kept"]
    assert code == 0


async def test_pipes_and_arguments_are_kept(prefix: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    os.close(writer)
    try:
        code, words = await _launch(prefix, "/bin/sh", "-c", f"{KINDS}; cat; exit 7", "/x", "a b", "", fds={0: reader})
    finally:
        os.close(reader)
    assert words == [*["fifo"] * 3, "0027", "/x a b ", "kept", "typed"]
    assert code == 7


async def test_no_other_descriptors_are_left(prefix: tuple[str, ...]) -> None:
    keep_descriptors_to_ourselves()  # as the daemon does
    with open("/dev/null", "r+b") as null:
        _, words = await _launch(prefix, "/bin/ls", "/proc/self/fd", fds={0: null.fileno()})
    assert set(words) <= {"0", "1", "2", "3"}


async def test_a_runtime_that_is_not_there_is_a_failure(prefix: tuple[str, ...]) -> None:
    code, _ = await _launch(prefix, "/not/there", fds={})
    assert code != 0


@pytest.mark.root
def test_a_disk_that_nothing_is_executed_from(tmp_path: Path) -> None:
    mount("none", str(tmp_path), "tmpfs", MS_NOEXEC, None)
    try:
        prefix = launcher.install(str(tmp_path / "launcher"), umask=0, machine=os.uname().machine)
    finally:
        umount2(str(tmp_path), 0)
    assert prefix[0] == sys.executable


@pytest.mark.parametrize("machine", launcher.MACHINES)
def test_it_is_one_small_executable(machine: str, tmp_path: Path) -> None:
    path = tmp_path / "launcher"
    for _ in range(2):  # it replaces one that is there
        assert launcher.install(str(path), umask=0, machine=machine) == (str(path),)
    program = path.read_bytes()
    assert struct.unpack_from("<H", program, 18) == (launcher.MACHINES[machine][0],)
    assert len(program) < 512
    assert path.stat().st_mode & 0o777 == 0o755
    assert struct.unpack_from("<Q", program, 24)[0] == elf.LOAD_ADDRESS + elf.HEADER_BYTES + elf.PROGRAM_HEADER_BYTES
