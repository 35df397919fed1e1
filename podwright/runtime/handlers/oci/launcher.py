"""The program that conmon runs as the OCI runtime: it corrects its stdio and umask, and executes the runtime.

conmon opens the host's /dev/null for every stream that a container has no pipe for. An OCI runtime gives its stdio to
the container's user (crun before 1.24, also where it is a device) and passes it on to processes that may change its
mode: the host's node would belong to a container. conmon has no option against it, and it sets its own umask, which
acts on the devices that crun before 1.14 makes. So the launcher

 - sets the umask,
 - puts a pipe whose end has come in the place of a standard input that is no pipe,
 - puts standard error, which conmon always reads, in the place of a standard output that is no pipe,
 - executes its first argument with the others.

It is put together here, as `sandbox.pause` is, because it is on the way of every container's start: it takes 0.2 ms.
Machines without code here, and disks that nothing is executed from, use `launching`, the same in Python.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import sys
from collections.abc import Callable

from podwright.linux import elf
from podwright.linux.files import replace_file
from podwright.runtime.handlers.oci import launching

log = logging.getLogger(__name__)

F_GETPIPE_SZ = 1032  # fcntl(2): fails for what is no pipe
NOT_EXECUTED = 127


def _x86_64(umask: int) -> bytes:
    def call(number: int) -> bytes:  # mov eax, number; syscall
        return b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"

    def edi(value: int) -> bytes:
        return b"\xbf" + struct.pack("<I", value)

    def esi(value: int) -> bytes:
        return b"\xbe" + struct.pack("<I", value)

    reader, writer = b"\x8b\x7c\x24\xf0", b"\x8b\x7c\x24\xf4"  # mov edi, [rsp-16]; mov edi, [rsp-12]
    pipe = b"\x48\x8d\x7c\x24\xf0" + call(22)  # lea rdi, [rsp-16]
    put_in_place = reader + esi(0) + call(33)  # dup2(reader, 0)
    ended_input = pipe + put_in_place + reader + call(3) + writer + call(3)  # close
    error_twice = edi(2) + esi(1) + call(33)  # dup2(2, 1)
    return b"".join(
        (
            edi(umask) + call(95),
            edi(0) + esi(F_GETPIPE_SZ) + call(72) + b"\x85\xc0\x79" + bytes((len(ended_input),)),  # test eax, eax; jns
            ended_input,
            edi(1) + esi(F_GETPIPE_SZ) + call(72) + b"\x85\xc0\x79" + bytes((len(error_twice),)),
            error_twice,
            b"\x48\x8b\x04\x24",  # mov rax, [rsp]: argc
            b"\x48\x8d\x54\xc4\x10",  # lea rdx, [rsp+rax*8+16]: the environment
            b"\x48\x8d\x74\x24\x10",  # lea rsi, [rsp+16]: &argv[1]
            b"\x48\x8b\x3e",  # mov rdi, [rsi]: argv[1]
            call(59),  # execve
            edi(NOT_EXECUTED) + call(60),
        )
    )


def _aarch64(umask: int) -> bytes:
    def x(register: int, value: int) -> int:  # movz
        return 0xD2800000 | value << 5 | register

    def call(number: int) -> tuple[int, int]:  # movz x8, number; svc #0
        return x(8, number), 0xD4000001

    def unless_negative(skipped: tuple[int, ...]) -> int:  # tbz x0, #63, after what is skipped
        return 0xB6F80000 | (len(skipped) + 1) << 5

    reader, writer = 0xB85F03E0, 0xB85F43E0  # ldur w0, [sp, #-16]; ldur w0, [sp, #-12]
    pipe = (0xD10043E0, x(1, 0), *call(59))  # sub x0, sp, #16
    ended_input = (*pipe, reader, x(1, 0), x(2, 0), *call(24), reader, *call(57), writer, *call(57))
    error_twice = (x(0, 2), x(1, 1), x(2, 0), *call(24))
    code = (
        *(x(0, umask), *call(166)),
        *(x(0, 0), x(1, F_GETPIPE_SZ), *call(25), unless_negative(ended_input)),
        *ended_input,
        *(x(0, 1), x(1, F_GETPIPE_SZ), *call(25), unless_negative(error_twice)),
        *error_twice,
        0xF94003E2,  # ldr x2, [sp]: argc
        0x8B226FE2,  # add x2, sp, x2, uxtx #3
        0x91004042,  # add x2, x2, #16: the environment
        0x910043E1,  # add x1, sp, #16: &argv[1]
        0xF9400020,  # ldr x0, [x1]: argv[1]
        *call(221),  # execve
        *(x(0, NOT_EXECUTED), *call(93)),
    )
    return struct.pack(f"<{len(code)}I", *code)


# uname's machine -> (ELF machine number, code)
MACHINES: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "x86_64": (elf.X86_64, _x86_64),
    "aarch64": (elf.AARCH64, _aarch64),
}


def install(path: str, *, umask: int, machine: str) -> tuple[str, ...]:
    """What stands before the runtime in an argv. `path` is where the program is to be.

    Where it cannot be put there, as on a full disk, the one in Python serves.
    """
    in_python = (sys.executable, "-I", "-S", str(launching.__file__), f"{umask:o}")
    folder = os.path.dirname(path)
    if machine not in MACHINES:
        return in_python
    number, code = MACHINES[machine]
    try:
        os.makedirs(folder, mode=0o711, exist_ok=True)
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            return in_python
        put(path, elf.executable(number, code(umask)))
    except OSError as failure:
        log.warning("cannot write launcher, using a slower one: path=%s error=%s", path, failure)
        return in_python
    return (path,)


def put(path: str, program: bytes) -> None:
    """Write a program to `path` unless it is there already. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        if file.read(len(program) + 1) == program:
            return
    replace_file(path, program, mode=0o755)
