"""QEMU's command line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.vm.recipe import LABEL

Accelerator = Literal["kvm", "tcg"]
# One thread for both processors: with a thread for each, a kernel now and then runs code of its own that the other
# processor is patching (static keys, which each new cpuset switches), and panics.
ACCELERATORS: dict[Accelerator, str] = {"kvm": "kvm", "tcg": "tcg,thread=single"}
PROCESSORS = 2
MEMORY_MIB = 3072
# panic=-1 with -no-reboot: a kernel that panics ends QEMU, and is not waited for. The guest runs trusted code alone.
KERNEL = f"root=LABEL={LABEL} rw console=ttyS0 panic=-1 mitigations=off security=apparmor apparmor=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The parts of one virtual machine. `port` on loopback leads to its ssh. It reaches nothing outside."""

    kernel: Path
    initrd: Path
    overlay: Path
    console: Path
    port: int
    accelerator: Accelerator
    nice: int


def qemu_argv(guest: Guest) -> tuple[str, ...]:
    """The command for a guest without a display, a reboot or a way out of its own network."""
    network = f"user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:{guest.port}-:22"
    return (
        *("nice", "-n", str(guest.nice), "qemu-system-x86_64"),
        *("-accel", ACCELERATORS[guest.accelerator], "-cpu", "max", "-smp", str(PROCESSORS), "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-display", "none", "-no-reboot"),
        *("-kernel", str(guest.kernel), "-initrd", str(guest.initrd), "-append", KERNEL),
        *("-drive", f"file={guest.overlay},format=qcow2,if=virtio,cache=unsafe"),  # a lost overlay costs nothing
        *("-serial", f"file:{guest.console}", "-device", "virtio-rng-pci"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=lan"),
    )


def overlay_argv(disk: Path, overlay: Path) -> tuple[str, ...]:
    """A disk that starts as `disk` and leaves it as it is."""
    return ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(disk.resolve()), str(overlay))
