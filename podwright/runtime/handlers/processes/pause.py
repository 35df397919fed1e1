"""The smallest first process of a PID namespace: it ignores SIGCHLD, so the kernel reaps for it, and sleeps.

Only a pod that shares its PID namespace needs such a process. It is put together here, from a dozen instructions
and an ELF header, so that no image, compiler or extra package is needed, and it takes one page of memory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from podwright.errors import FailedPrecondition
from podwright.linux import elf
from podwright.linux.files import replace_file

# struct kernel_sigaction with SIG_IGN as handler; no flags, restorer or mask.
IGNORE_ACTION = struct.pack("<QQQQ", 1, 0, 0, 0)


def _x86_64() -> bytes:
    action_offset = 36
    return (
        b"\xb8\x0d\x00\x00\x00"  # mov eax, 13          rt_sigaction(
        b"\xbf\x11\x00\x00\x00"  # mov edi, 17            SIGCHLD,
        b"\x48\x8d\x35" + struct.pack("<i", action_offset - 17) +  # lea rsi, [rip+action]  &ignore,
        b"\x31\xd2"  # xor edx, edx                       NULL,
        b"\x41\xba\x08\x00\x00\x00"  # mov r10d, 8        8)
        b"\x0f\x05"  # syscall
        b"\xb8\x22\x00\x00\x00"  # again: mov eax, 34   pause()
        b"\x0f\x05"  # syscall
        b"\xeb\xf7"  # jmp again
    ) + IGNORE_ACTION  # fmt: skip


def _aarch64() -> bytes:
    def movz(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    svc = 0xD4000001
    action_offset = 13 * 4 + 4  # after the code, aligned to 8
    adr = 0x10000000 | (action_offset - 2 * 4 >> 2) << 5 | 1  # x1 = &action, two instructions on from the start
    code = [
        *(movz(8, 134), movz(0, 17), adr, movz(2, 0), movz(3, 8), svc),  # rt_sigaction(SIGCHLD, &ignore, NULL, 8)
        *(movz(8, 73), movz(0, 0), movz(1, 0), movz(2, 0), movz(3, 0), svc),  # again: ppoll(NULL, 0, NULL, NULL)
        0x14000000 | (-6 & 0x3FFFFFF),  # b again
        0,
    ]
    return struct.pack(f"<{len(code)}I", *code) + IGNORE_ACTION


# uname's machine -> (ELF machine number, code)
MACHINES: dict[str, tuple[int, Callable[[], bytes]]] = {
    "x86_64": (elf.X86_64, _x86_64),
    "aarch64": (elf.AARCH64, _aarch64),
}


def executable(machine: str) -> bytes:
    """A static ELF executable for uname's `machine`. Raises FailedPrecondition for one that has no code here."""
    if machine not in MACHINES:
        raise FailedPrecondition(
            f"pods that share a PID namespace are not supported on {machine}", hint="use pid namespace mode CONTAINER"
        )
    number, code = MACHINES[machine]
    return elf.executable(number, code())


def make_root(root: str, machine: str) -> None:
    """The root that the first processes of all pods share: the executable, and places for /proc and /dev.

    Raises OSError, and FailedPrecondition as `executable` does.
    """
    program = f"{root}/pause"
    if os.path.exists(program):
        return
    for mount_point in ("proc", "dev"):
        os.makedirs(f"{root}/{mount_point}", mode=0o755, exist_ok=True)
    os.chmod(root, 0o755)
    replace_file(program, executable(machine), mode=0o755)
