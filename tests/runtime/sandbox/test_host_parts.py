"""A sandbox's parts on the host, and the smallest first process."""

from __future__ import annotations

import os
import signal
import socket
import struct
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import elf, mount, namespaces
from podwright.process import Command, PosixProcessRunner
from podwright.runtime.handlers.processes import pause
from podwright.runtime.model.base import NamespaceMode, NamespaceOptions
from podwright.runtime.model.sandbox import DnsConfig, SandboxConfig, SandboxName, SandboxSecurity
from podwright.runtime.sandbox import host_parts
from podwright.runtime.sandbox.paths import SandboxPaths

NAME = SandboxName(name="n", namespace="ns", uid="u")
HOST = SandboxSecurity(namespaces=NamespaceOptions(network=NamespaceMode.NODE, ipc=NamespaceMode.NODE))


@pytest.fixture
def paths(tmp_path: Path) -> SandboxPaths:
    return SandboxPaths(directory=str(tmp_path / "sandbox"))


@pytest.mark.root
def test_made_and_unmade(paths: SandboxPaths) -> None:
    config = SandboxConfig(name=NAME, hostname="pod", dns=DnsConfig(servers=("1.1.1.1",)))
    host_parts.make(config, paths, 1 << 20)
    try:
        assert host_parts.is_intact(config, paths)
        assert namespaces.run_in(paths.utsns, "uts", socket.gethostname) == "pod"
        assert Path(paths.hostname).read_text() == "pod\n"
        assert Path(paths.resolv_conf).read_text() == "nameserver 1.1.1.1\n"
        assert os.stat(paths.shm).st_mode & 0o7777 == 0o1777
        host_parts.unpin(paths)
        assert not host_parts.is_intact(config, paths)
        assert Path(paths.hostname).exists()
    finally:
        host_parts.unmake(paths)
    assert not os.path.exists(paths.directory)
    host_parts.unmake(paths)


@pytest.mark.root
def test_the_hosts_namespaces_need_no_pins(paths: SandboxPaths) -> None:
    config = SandboxConfig(name=NAME, security=HOST)
    host_parts.make(config, paths, 1 << 20)
    try:
        assert host_parts.pinned_paths(config, paths) == {}
        assert host_parts.is_intact(config, paths)
        assert not os.path.exists(paths.shm)
        assert Path(paths.hostname).read_text().strip() == socket.gethostname()
    finally:
        host_parts.unmake(paths)


@pytest.mark.root
def test_a_sysctl_value_that_the_kernel_refuses_leaves_no_pins(paths: SandboxPaths) -> None:
    config = SandboxConfig(name=NAME, sysctls={"kernel.msgmax": "nonsense"})
    with pytest.raises(InvalidArgument, match=r"kernel\.msgmax"):
        host_parts.make(config, paths, 1 << 20)
    assert not any(point.target.startswith(paths.directory) for point in mount.read_mounts())
    host_parts.unmake(paths)


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_pause_is_one_small_executable(machine: str, number: int) -> None:
    program = pause.executable(machine)
    assert program[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", program, 18) == (number,)
    (entry,) = struct.unpack_from("<Q", program, 24)
    assert elf.LOAD_ADDRESS < entry < elf.LOAD_ADDRESS + len(program) < elf.LOAD_ADDRESS + 4096


def test_pause_says_where_it_cannot_run() -> None:
    with pytest.raises(FailedPrecondition, match="vax"):
        pause.executable("vax")


async def test_pause_sleeps_ignores_its_children_and_dies(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(pause.executable(os.uname().machine))
    program.chmod(0o755)
    process = PosixProcessRunner().start(Command(argv=(str(program),), timeout_s=None))
    try:
        for _ in range(1000):
            status = Path(f"/proc/{process.pid}/status").read_text()
            ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
            if ignored & 1 << (signal.SIGCHLD - 1) and "State:\tS" in status:
                break
        assert ignored & 1 << (signal.SIGCHLD - 1)
        assert process.returncode is None
    finally:
        process.signal(signal.SIGTERM)
    assert await process.wait() == -signal.SIGTERM
