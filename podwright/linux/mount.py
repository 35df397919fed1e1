"""Mounts: bind, tmpfs, overlay (by the new mount API if the kernel has it), and mountinfo.

Paths are the host's and trusted. Paths from an image or a request must first be resolved by `openat2`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re

import msgspec

from podwright.linux import libc

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_DIRSYNC = 128
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
MS_LAZYTIME = 1 << 25

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

# The generic system call table: the same numbers on every 64-bit architecture.
SYS_MOVE_MOUNT = 429
SYS_FSOPEN = 430
SYS_FSCONFIG = 431
SYS_FSMOUNT = 432

FSOPEN_CLOEXEC = 1
FSMOUNT_CLOEXEC = 1
FSCONFIG_SET_FLAG = 0
FSCONFIG_SET_STRING = 1
FSCONFIG_CMD_CREATE = 6
MOVE_MOUNT_F_EMPTY_PATH = 4
AT_FDCWD = -100

PAGE_BYTES = 4096


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """An overlay mount as data. `lower` goes from the top layer to the base. Without `upper` it is read-only.

    `volatile` (kernel 5.10) does not sync the upper directory, which is right for container roots, because they do
    not outlive a crash of the host. `label` is the SELinux label of all files, or empty for the files' own.
    """

    target: str
    lower: tuple[str, ...]
    upper: str | None = None
    work: str | None = None
    volatile: bool = True
    label: str = ""


def mount_overlay(overlay: Overlay) -> None:
    """Mount it. Raises OSError.

    Tries `lowerdir+` (kernel 6.8), which supports any number of layers of any length. Older kernels get one option
    string with layers as descriptor paths, so that some 200 of them fit in a page.
    """
    try:
        _mount_overlay_by_parts(overlay)
    except OSError as failure:
        if failure.errno not in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
            raise
        _mount_overlay_by_string(overlay)


def _mount_overlay_by_parts(overlay: Overlay) -> None:
    context = libc.check(libc.syscall(SYS_FSOPEN, b"overlay", FSOPEN_CLOEXEC), "overlay")
    try:
        for layer in overlay.lower:
            _set_string(context, "lowerdir+", layer)
        if overlay.label:
            _set_string(context, "context", overlay.label)
        if overlay.upper is not None and overlay.work is not None:
            _set_string(context, "upperdir", overlay.upper)
            _set_string(context, "workdir", overlay.work)
            if overlay.volatile:
                libc.check(libc.syscall(SYS_FSCONFIG, context, FSCONFIG_SET_FLAG, b"volatile", None, 0), "volatile")
        libc.check(libc.syscall(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0), overlay.target)
        tree = libc.check(libc.syscall(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, 0), overlay.target)
    finally:
        os.close(context)
    try:
        target = os.fsencode(overlay.target)
        moved = libc.syscall(SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)
        libc.check(moved, overlay.target)
    finally:
        os.close(tree)


def _set_string(context: int, key: str, value: str) -> None:
    result = libc.syscall(SYS_FSCONFIG, context, FSCONFIG_SET_STRING, key.encode(), os.fsencode(value), 0)
    libc.check(result, value)


def _mount_overlay_by_string(overlay: Overlay) -> None:
    with contextlib.ExitStack() as stack:

        def short(path: str) -> str:
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            return f"/proc/self/fd/{fd}"

        lower = overlay.lower
        options = "lowerdir=" + ":".join(_escaped(layer) for layer in lower)
        if len(options) > PAGE_BYTES // 2:
            options = "lowerdir=" + ":".join(short(layer) for layer in lower)
        if overlay.upper is not None and overlay.work is not None:
            options += f",upperdir={_escaped(overlay.upper)},workdir={_escaped(overlay.work)}"
            options += ",volatile" if overlay.volatile else ""
        options += _context(overlay.label)
        libc.mount("overlay", overlay.target, "overlay", 0, options)


def _escaped(path: str) -> str:
    """Escape commas and colons, at which overlayfs's option parser splits."""
    return re.sub(r"([\\,:])", r"\\\1", path)


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """Bind-mount. Raises OSError."""
    libc.mount(source, target, None, MS_BIND | (MS_REC if recursive else 0), None)


def mount_tmpfs(
    target: str, *, size_bytes: int, mode: int, flags: int = MS_NOSUID | MS_NODEV | MS_NOEXEC, label: str = ""
) -> None:
    """A tmpfs of at most `size_bytes`, with an SELinux label if given. Raises OSError."""
    libc.mount("tmpfs", target, "tmpfs", flags, f"mode={mode:o},size={size_bytes}{_context(label)}")


def _context(label: str) -> str:
    """The mount option. It is quoted, because labels contain commas."""
    return f',context="{label}"' if label else ""


def unmount(target: str) -> None:
    """Detach all mounts on `target`. Without any it succeeds. Raises OSError."""
    while True:
        try:
            libc.umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW)
        except OSError as failure:
            if failure.errno in (errno.EINVAL, errno.ENOENT):
                return
            raise


class MountPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One line of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

    mount_id: int
    root: str
    target: str
    filesystem: str
    source: str
    propagation: frozenset[str]  # any of "shared", "master", "propagate_from", "unbindable"


def parse_mountinfo(text: str) -> list[MountPoint]:
    """The mounts in `text`, in mount order. Invalid lines are skipped."""
    mounts = []
    for line in text.splitlines():
        head, separator, tail = line.partition(" - ")
        fields, kinds = head.split(" "), tail.split(" ")
        if not separator or len(fields) < 6 or len(kinds) < 2:
            continue
        mounts.append(
            MountPoint(
                mount_id=int(fields[0]),
                root=_unescaped(fields[3]),
                target=_unescaped(fields[4]),
                filesystem=kinds[0],
                source=_unescaped(kinds[1]),
                propagation=frozenset(tag.partition(":")[0] for tag in fields[6:]),
            )
        )
    return mounts


def read_mounts(*, containing: str = "") -> list[MountPoint]:
    """The mounts of this process, or those whose line contains a text, because parsing all takes milliseconds."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return parse_mountinfo("".join(line for line in file if containing in line))


def enclosing_mount(mounts: list[MountPoint], path: str) -> MountPoint | None:
    """The mount of `path` (absolute, resolved): the last one with the longest matching target."""
    best: MountPoint | None = None
    for mount in mounts:
        prefix = mount.target.rstrip("/") + "/"
        if (path + "/").startswith(prefix) and (best is None or len(mount.target) >= len(best.target)):
            best = mount
    return best


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
