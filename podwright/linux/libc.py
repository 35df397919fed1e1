"""The C library through ctypes, with errno turned into OSError."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, *names: str | bytes) -> int:
    """`result`, or OSError from errno if it is negative, with the paths `names`."""
    if result >= 0:
        return result
    code = ctypes.get_errno()
    shown = [os.fsdecode(name) for name in names[:2]]
    if len(shown) == 2:
        raise OSError(code, os.strerror(code), shown[0], None, shown[1])
    raise OSError(code, os.strerror(code), *shown)


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """A raw system call. Integers are passed as 64-bit words, bytes as pointers. Raises nothing: see `check`."""
    words = [ctypes.c_long(word) if isinstance(word, int) else ctypes.c_char_p(word) for word in arguments]
    return int(_libc.syscall(ctypes.c_long(number), *words))


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None) -> None:
    """mount(2)."""
    encoded = [os.fsencode(text) if text is not None else None for text in (source, target, kind, data)]
    result = _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    check(result, source, target)


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    check(_libc.umount2(os.fsencode(target), flags), target)


def unshare(flags: int) -> None:
    """unshare(2): acts on the calling thread."""
    check(_libc.unshare(flags))


def setns(fd: int, kind: int) -> None:
    """setns(2): acts on the calling thread."""
    check(_libc.setns(fd, kind))


def sethostname(name: bytes) -> None:
    """sethostname(2), in the calling thread's UTS namespace."""
    check(_libc.sethostname(name, len(name)))


def prctl(option: int, argument: int) -> None:
    """prctl(2) with one argument."""
    check(_libc.prctl(option, ctypes.c_ulong(argument), *[ctypes.c_ulong(0)] * 3))


def kernel_log(limit_bytes: int) -> bytes:
    """The last lines of the kernel's log, by syslog(2). Raises PermissionError without CAP_SYSLOG."""
    buffer = ctypes.create_string_buffer(limit_bytes)
    read_all = 3  # SYSLOG_ACTION_READ_ALL
    length = check(_libc.klogctl(read_all, buffer, limit_bytes))
    return buffer.raw[:length]


def give_back_blocks(least_bytes: int) -> None:
    """Let freed blocks of at least this size return to the kernel (mallopt(3), M_MMAP_THRESHOLD).

    glibc does so at first, but keeps later blocks once such a block was freed. Other C libraries lack the call.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(-3, least_bytes)


def inotify_init() -> int:
    """inotify_init1(2): a descriptor that does not block and is not inherited."""
    return check(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def inotify_add_watch(descriptor: int, path: str, mask: int) -> int:
    """inotify_add_watch(2)."""
    return check(_libc.inotify_add_watch(descriptor, os.fsencode(path), mask), path)


def inotify_rm_watch(descriptor: int, watch: int) -> None:
    """inotify_rm_watch(2). A watch that the kernel has already removed is ignored."""
    _libc.inotify_rm_watch(descriptor, watch)


FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 0x1, 0x2


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Give back the disk space of a part of a file, which reads as zeros then (fallocate(2)). Its size stays."""
    mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    check(_libc.fallocate64(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))
