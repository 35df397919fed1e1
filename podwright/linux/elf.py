"""Minimal ELF executables with one segment of machine code, for programs of a dozen instructions that we make."""

from __future__ import annotations

import struct

X86_64, AARCH64 = 62, 183  # ELF's numbers for machines (e_machine)
LOAD_ADDRESS = 0x400000
HEADER_BYTES = 64
PROGRAM_HEADER_BYTES = 56


def executable(machine: int, code: bytes) -> bytes:
    """A static 64-bit little-endian executable that starts at the first byte of `code`. The code is not writable."""
    start = HEADER_BYTES + PROGRAM_HEADER_BYTES
    size = start + len(code)
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little-endian
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(identity, 2, machine, 1, LOAD_ADDRESS + start, HEADER_BYTES, 0, 0),
        *(HEADER_BYTES, PROGRAM_HEADER_BYTES, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x1000)  # PT_LOAD, r-x
    return header + segment + code
