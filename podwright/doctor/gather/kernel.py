"""Kernel features, found by testing them."""

from __future__ import annotations

import errno
import os
import platform
import re

from podwright.doctor.facts import KernelFacts
from podwright.doctor.gather.files import read_integer, read_text
from podwright.doctor.gather.overlay_trial import try_overlay
from podwright.linux import libc, openat2
from podwright.linux.mount import AT_FDCWD, FSOPEN_CLOEXEC, SYS_FSOPEN

SYS_MOUNT_SETATTR = 442  # the generic system call table: the same number on all architectures


def gather_kernel(root: str) -> KernelFacts:
    """The features of this kernel. The overlay is tested in `root`. Blocks."""
    release = platform.release()
    return KernelFacts(
        release=release,
        numbers=numbers(release),
        overlay_error=try_overlay(root),
        new_mount_api=_has_new_mount_api(),
        idmapped_mounts=_has_mount_setattr(),
        pidfd=_has_pidfd(),
        openat2=_has_openat2(),
        namespaces=frozenset(name for name in os.listdir("/proc/self/ns") if not name.endswith("_for_children")),
        max_user_namespaces=read_integer("/proc/sys/user/max_user_namespaces"),
        seccomp_actions=frozenset(read_text("/proc/sys/kernel/seccomp/actions_avail").split()),
    )


def numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: (6, 18, 44) for `6.18.44-fc`. Empty without numbers."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _has_new_mount_api() -> bool:
    fd = libc.syscall(SYS_FSOPEN, b"tmpfs", FSOPEN_CLOEXEC)
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def _has_mount_setattr() -> bool:
    """Calls it with no change for a path that does not exist: a kernel that supports it answers ENOENT."""
    attributes = bytes(32)
    result = libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/nonexistent", 0, attributes, len(attributes))
    try:
        libc.check(result)
    except OSError as failure:
        return failure.errno not in (errno.ENOSYS, errno.EPERM)
    return True


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _has_openat2() -> bool:
    try:
        with openat2.opened_root("/") as root_fd:
            os.close(openat2.open_in_root(root_fd, "/proc", os.O_PATH))
    except OSError:
        return False
    return True
