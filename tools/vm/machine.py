"""A running virtual machine: started with the best accelerator that works here, and ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.background import Background
from tools.ports import free_port
from tools.vm.failure import VmError
from tools.vm.guest import Shell
from tools.vm.image import Image
from tools.vm.process import log_tail
from tools.vm.qemu import Accelerator, Guest, overlay_argv, qemu_argv

KVM = Path("/dev/kvm")
CPUINFO = Path("/proc/cpuinfo")
VIRTUALIZATION = frozenset({"vmx", "svm"})  # Intel's and AMD's
# Some machines have the device and run no ordinary guest: then the kernel does not print a character.
KVM_FIRST_OUTPUT_S = 30.0
BOOT_TIMEOUT_S: dict[Accelerator, float] = {"kvm": 120.0, "tcg": 900.0}
POLL_S = 0.5


@contextlib.contextmanager
def machine(image: Image, logs: Path, *, nice: int) -> Iterator[Shell]:
    """A machine that runs, and a shell inside. Raises VmError. It ends when the block does, or this process."""
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=logs, prefix="run-") as directory:
        for accelerator in _accelerators():
            guest = _guest(image, Path(directory), logs / "console.log", accelerator, nice)
            with _running(guest, logs / "qemu.log") as process:
                if accelerator == "kvm" and not _prints(process, guest.console):
                    print("KVM runs no ordinary guest here: QEMU's TCG takes its place", flush=True)
                    continue
                shell = Shell(image=image, port=guest.port, directory=Path(directory), accelerator=accelerator)
                _wait_for_boot(process, shell, guest)
                yield shell
                shell.close()
                return


def _accelerators() -> tuple[Accelerator, ...]:
    has_kvm = os.access(KVM, os.R_OK | os.W_OK) and virtualizes(CPUINFO.read_text())
    return ("kvm", "tcg") if has_kvm else ("tcg",)


def virtualizes(cpuinfo: str) -> bool:
    """Whether the processor has what KVM needs, by /proc/cpuinfo. Pure.

    A machine without it may have /dev/kvm all the same (kvm-pvm), which runs guests with a kernel of its own only.
    """
    return not VIRTUALIZATION.isdisjoint(cpuinfo.split())


def _guest(image: Image, directory: Path, console: Path, accelerator: Accelerator, nice: int) -> Guest:
    overlay = directory / f"{accelerator}.qcow2"
    subprocess.run(overlay_argv(image.disk, overlay), check=True, stdin=subprocess.DEVNULL, timeout=60)
    console.write_bytes(b"")
    return Guest(
        kernel=image.kernel,
        initrd=image.initrd,
        overlay=overlay,
        console=console,
        port=free_port(),
        accelerator=accelerator,
        nice=nice,
    )


@contextlib.contextmanager
def _running(guest: Guest, log: Path) -> Iterator[Background]:
    # setpriv: the kernel ends QEMU when this process is killed and can end nothing itself (prctl(2), PDEATHSIG).
    process = Background((_program("setpriv"), "--pdeathsig", "KILL", *qemu_argv(guest)), log=log)
    _share(process.pid, guest.nice)
    try:
        yield process
    finally:
        process.stop(timeout_s=5.0)


def _share(pid: int, nice: int) -> None:
    """Nice values count within a session where the kernel groups by sessions, which have their own (sched(7))."""
    with contextlib.suppress(OSError):  # a kernel without such groups
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _program(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise VmError(f"{name} is not installed: it is in Debian's util-linux")
    return path


def _prints(process: Background, console: Path) -> bool:
    deadline = time.monotonic() + KVM_FIRST_OUTPUT_S
    while time.monotonic() < deadline and process.returncode is None:
        if console.stat().st_size:
            return True
        time.sleep(POLL_S)
    return False


def _wait_for_boot(process: Background, shell: Shell, guest: Guest) -> None:
    limit = BOOT_TIMEOUT_S[guest.accelerator]
    deadline = time.monotonic() + limit
    while not shell.answers():
        if process.returncode is not None:
            raise VmError(f"QEMU ended with {process.returncode}:\n{process.log_tail()}\n{log_tail(guest.console)}")
        if time.monotonic() > deadline:
            raise VmError(
                f"the machine did not boot within {limit:.0f} s; the end of its console:\n{log_tail(guest.console)}"
            )
        time.sleep(POLL_S)
