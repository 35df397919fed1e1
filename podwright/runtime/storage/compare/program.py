"""Walks two trees in parallel and lists how the first differs from the second, up to a limit.

It compares kind, mode, owner, device number, size, modification time, links, extended attributes and content. It
never opens devices and FIFOs, and follows no symbolic link.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence

DIFFERENCES_LIMIT = 20
CHUNK_BYTES = 1 << 20
NAME_SHOWN = 200
# Overlayfs marks directories that it has used. That does not damage the layer.
FOREIGN_XATTRS = ("trusted.overlay.origin", "trusted.overlay.impure", "trusted.overlay.uuid", "security.selinux")


def main(arguments: Sequence[str]) -> int:
    """Run with TREE EXPECTED_TREE."""
    tree, expected = (os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in arguments)
    found = []
    for path, what in differences(tree, expected):
        found.append(f"{shown(path)}: {what}")
        if len(found) == DIFFERENCES_LIMIT:
            break
    os.write(1, json.dumps(found).encode())
    return 0


def shown(path: bytes) -> str:
    """A path for a message."""
    text = path.decode("utf-8", "backslashreplace")
    return "/" + (text if text.isprintable() else ascii(text)[1:-1])[:NAME_SHOWN]


def differences(tree: int, expected: int) -> Iterator[tuple[bytes, str]]:
    """(path, problem) for the trees with these root descriptors."""
    if wrong := _difference(tree, expected, b"."):
        yield b"", wrong
    pending = [b""]
    while pending:
        folder = pending.pop()
        try:
            own, wanted = _names(tree, folder), _names(expected, folder)
        except OSError as failure:
            yield folder, f"cannot be listed: {failure.strerror}"
            continue
        yield from ((_joined(folder, name), "is missing") for name in sorted(wanted - own))
        yield from ((_joined(folder, name), "should not be there") for name in sorted(own - wanted))
        for name in sorted(own & wanted):
            path = _joined(folder, name)
            try:
                wrong = _difference(tree, expected, path)
                is_folder = stat.S_ISDIR(_status(tree, path).st_mode)
            except OSError as failure:
                yield path, f"cannot be read: {failure.strerror}"
                continue
            if wrong:
                yield path, wrong
            elif is_folder:
                pending.append(path)


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _names(root: int, folder: bytes) -> set[bytes]:
    fd = os.open(folder or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
    try:
        return {os.fsencode(name) for name in os.listdir(fd)}
    finally:
        os.close(fd)


def _status(root: int, path: bytes) -> os.stat_result:
    return os.stat(path, dir_fd=root, follow_symlinks=False)


def _difference(tree: int, expected: int, path: bytes) -> str:
    """What is wrong with one entry, or ""."""
    own, wanted = _status(tree, path), _status(expected, path)
    kind = stat.S_IFMT(wanted.st_mode)
    checks = [
        ("is of another kind", stat.S_IFMT(own.st_mode) != kind),
        ("has another mode", own.st_mode != wanted.st_mode),
        ("has another owner", (own.st_uid, own.st_gid) != (wanted.st_uid, wanted.st_gid)),
        ("is another device", own.st_rdev != wanted.st_rdev),
        ("has another size", kind == stat.S_IFREG and own.st_size != wanted.st_size),
        ("has other hard links", kind != stat.S_IFDIR and own.st_nlink != wanted.st_nlink),
    ]
    for what, wrong in checks:
        if wrong:
            return what
    if kind == stat.S_IFREG and not _same_content(tree, expected, path):
        return "has another content"
    if kind == stat.S_IFLNK and os.readlink(path, dir_fd=tree) != os.readlink(path, dir_fd=expected):
        return "leads elsewhere"
    if _xattrs(tree, path) != _xattrs(expected, path):
        return "has other extended attributes"
    # Directories without an entry in the archive, and whiteouts, have the time of the unpacking.
    timed = kind in (stat.S_IFREG, stat.S_IFLNK)
    return "was changed at another time" if timed and own.st_mtime_ns != wanted.st_mtime_ns else ""


def _same_content(tree: int, expected: int, path: bytes) -> bool:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with (
        open(os.open(path, flags, dir_fd=tree), "rb", buffering=0) as own,
        open(os.open(path, flags, dir_fd=expected), "rb", buffering=0) as wanted,
    ):
        while True:
            ours, theirs = own.read(CHUNK_BYTES), wanted.read(CHUNK_BYTES)
            if ours != theirs:
                return False
            if not ours:
                return True


def _xattrs(root: int, path: bytes) -> dict[str, bytes]:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
    try:
        link = f"/proc/self/fd/{fd}"  # the xattr calls do not accept O_PATH descriptors
        names = [name for name in os.listxattr(link) if name not in FOREIGN_XATTRS]
        return {name: os.getxattr(link, name) for name in names}
    except OSError as failure:
        if failure.errno in (errno.ENOTSUP, errno.EPERM):
            return {}
        raise
    finally:
        os.close(fd)
