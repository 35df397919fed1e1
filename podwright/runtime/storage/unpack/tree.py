"""Writes entries as files below `/`, which is the layer's directory after the chroot.

Owns the order in which attributes are set, whiteouts in overlayfs form, and the limits. The kernel resolves names
inside the chroot, so symbolic links cannot lead out of the layer. `names` has rejected `..`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from podwright.runtime.storage.unpack import header
from podwright.runtime.storage.unpack.archive import REGULAR, ArchiveEntry, Bytes
from podwright.runtime.storage.unpack.failure import UnpackError, shown
from podwright.runtime.storage.unpack.names import relative

NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
WHITEOUT = b".wh."
OPAQUE_MARK = b".wh..wh..opq"
AUFS_META = b".wh..wh."
OPAQUE_XATTR = b"trusted.overlay.opaque"
DISK_BLOCK_BYTES = 4096
SPACE_CHECK_BYTES = 16 << 20  # larger files are checked against the free space first
IMPLICIT_LIMIT = 100_000
SET_ID_BITS = stat.S_ISUID | stat.S_ISGID
# The range of the kernel's dev_t (include/linux/kdev_t.h). The cgroup decides whether a container may open a device.
MAJOR_LIMIT, MINOR_LIMIT = 1 << 12, 1 << 20
SYMLINK_LIMIT_BYTES = 4095  # PATH_MAX without its NUL


class Totals:
    """What the layer contains: `used_bytes` on disk, `inodes` of all kinds, `file_bytes` including holes."""

    def __init__(self) -> None:
        self.used_bytes = 0
        self.inodes = 0
        self.file_bytes = 0
        self.entries = 0
        self.lost_xattrs = 0
        self.implicit: set[bytes] = set()


class UnpackedTree:
    """Writes entries in the order of the archive. `finish` sets what must wait until the end."""

    def __init__(self, data: Bytes, *, max_bytes: int, max_entries: int) -> None:
        self.totals = Totals()
        self._data = data
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._directories: set[bytes] = {b""}  # directories made by this layer, by name, without following links
        self._explicit: dict[
            bytes, ArchiveEntry
        ] = {}  # directories in the archive; their attributes are set at the end
        self._whiteouts: set[bytes] = set()
        self._makers: dict[bytes, Callable[[bytes, ArchiveEntry], None]] = {
            REGULAR: self._make_file,
            b"1": self._make_hard_link,
            b"2": self._make_symbolic_link,
            b"3": self._make_node,
            b"4": self._make_node,
            b"5": self._make_directory,
            b"6": self._make_node,
        }

    def add(self, entry: ArchiveEntry) -> None:
        """Write one entry. Raises UnpackError and OSError."""
        self.totals.entries += 1
        if self.totals.entries > self._max_entries:
            raise UnpackError("limit", f"the layer has more than {self._max_entries} entries")
        path = relative(entry.name)
        parent, _, base = path.rpartition(b"/")
        if parent not in self._directories:
            self._make_parents(parent)
        if base.startswith(WHITEOUT):
            self._hide(path, parent, base)
            return
        maker = self._makers.get(entry.kind)
        if maker is None:
            raise UnpackError("bad", f"{shown(path)} is of the unknown type {entry.kind!r}")
        if not path and entry.kind != b"5":
            raise UnpackError("bad", "the layer's root is not a directory")
        maker(path, entry)

    @property
    def describes_root(self) -> bool:
        """Whether the archive has mode and owner of `/`."""
        return b"" in self._explicit

    def finish(self) -> None:
        """Set the attributes of directories, the deepest first, after all writes inside, which would change them."""
        for path, entry in reversed(self._explicit.items()):
            name = path or b"/"
            self._own(name, entry)
            if entry.mode & SET_ID_BITS:
                os.chmod(name, entry.mode)
            self._set_xattrs(name, entry)
            os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)

    # Kinds of entries

    def _make_file(self, path: bytes, entry: ArchiveEntry) -> None:
        self.totals.file_bytes += entry.size
        if self.totals.file_bytes > self._max_bytes:
            raise UnpackError("limit", f"the files of the layer, holes included, exceed {self._max_bytes} bytes")
        if entry.stored >= SPACE_CHECK_BYTES:
            _check_space(entry.stored)
        try:
            fd = os.open(path, NEW_FILE, entry.mode)
        except FileExistsError:
            self._clear(path)
            fd = os.open(path, NEW_FILE, entry.mode)
        try:
            self._fill(fd, entry)
            if entry.uid or entry.gid:
                os.fchown(fd, entry.uid, entry.gid)
                if entry.mode & SET_ID_BITS:  # chown clears them
                    os.fchmod(fd, entry.mode)
            if entry.xattrs:
                self._set_xattrs(fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)
        self.totals.inodes += 1
        self.totals.used_bytes += -(-entry.stored // DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES

    def _fill(self, fd: int, entry: ArchiveEntry) -> None:
        entry.consumed = True
        if entry.pieces is None:
            self._data.pass_on(entry.stored, lambda piece: _write(fd, piece))
            return
        os.ftruncate(fd, entry.size)
        for offset, length in entry.pieces:
            os.lseek(fd, offset, os.SEEK_SET)
            self._data.pass_on(length, lambda piece: _write(fd, piece))

    def _make_directory(self, path: bytes, entry: ArchiveEntry) -> None:
        if path not in self._directories:
            self._mkdir(path, entry.mode & ~SET_ID_BITS)
        elif stat.S_IMODE(os.lstat(path or b"/").st_mode) != entry.mode & ~SET_ID_BITS:
            os.chmod(path or b"/", entry.mode & ~SET_ID_BITS)
        self.totals.implicit.discard(path)
        self._explicit.pop(path, None)
        self._explicit[path] = entry

    def _make_symbolic_link(self, path: bytes, entry: ArchiveEntry) -> None:
        if not 0 < len(entry.linkname) <= SYMLINK_LIMIT_BYTES or b"\0" in entry.linkname:
            raise UnpackError("bad", f"the symbolic link {shown(path)} has no usable target")
        self._place(path, lambda: os.symlink(entry.linkname, path))
        self._own(path, entry)
        self._set_xattrs(path, entry)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        self.totals.inodes += 1

    def _make_hard_link(self, path: bytes, entry: ArchiveEntry) -> None:
        target = relative(entry.linkname)
        if target == path:
            return
        try:
            self._place(path, lambda: os.link(target, path, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as failure:
            raise UnpackError(
                "bad", f"the hard link {shown(path)} names {shown(entry.linkname)}, which the layer does not have"
            ) from failure

    def _make_node(self, path: bytes, entry: ArchiveEntry) -> None:
        kind = {b"3": stat.S_IFCHR, b"4": stat.S_IFBLK, b"6": stat.S_IFIFO}[entry.kind]
        device = 0 if kind == stat.S_IFIFO else _device(entry, path)
        self._place(path, lambda: os.mknod(path, kind | entry.mode, device))
        self._own(path, entry)
        if entry.mode & SET_ID_BITS:
            os.chmod(path, entry.mode)
        self._set_xattrs(path, entry)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
        self.totals.inodes += 1

    # Whiteouts

    def _hide(self, path: bytes, parent: bytes, base: bytes) -> None:
        """Make a whiteout. It hides the layers below, never entries of this layer."""
        if base == OPAQUE_MARK:
            os.setxattr(parent or b"/", OPAQUE_XATTR, b"y", follow_symlinks=False)
            return
        if base.startswith(AUFS_META):
            return
        hidden = base[len(WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise UnpackError("bad", f"the whiteout {shown(path)} names nothing")
        target = parent + b"/" + hidden if parent else hidden
        try:
            os.mknod(target, stat.S_IFCHR, os.makedev(0, 0))
        except FileExistsError:
            if target in self._directories:
                os.setxattr(target, OPAQUE_XATTR, b"y", follow_symlinks=False)
            return
        self._whiteouts.add(target)
        self.totals.inodes += 1

    # Places

    def _make_parents(self, parent: bytes) -> None:
        """Make directories that the archive uses without describing them.

        They are reported, because we guess attributes.
        """
        path = b""
        for part in parent.split(b"/"):
            path = path + b"/" + part if path else part
            if path in self._directories:
                continue
            try:
                kind = os.stat(path).st_mode if path not in self._whiteouts else 0
            except OSError as failure:
                if failure.errno == errno.ENOENT and not os.path.lexists(path):
                    kind = 0
                else:
                    raise UnpackError("bad", f"{shown(parent)} is not accessible: {failure.strerror}") from failure
            if kind == 0:
                self._mkdir(path, 0o755)
                self._note_implicit(path)
            elif not stat.S_ISDIR(kind):
                raise UnpackError("bad", f"{shown(path)} is not a directory, but there are entries below it")

    def _note_implicit(self, path: bytes) -> None:
        self.totals.implicit.add(path)
        if len(self.totals.implicit) > IMPLICIT_LIMIT:
            raise UnpackError("limit", f"the layer leaves more than {IMPLICIT_LIMIT} directories undescribed")

    def _mkdir(self, path: bytes, mode: int) -> None:
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            hidden = path in self._whiteouts
            self._clear(path)
            os.mkdir(path, mode)
            if hidden:  # a whiteout deleted the lower directory, and this one is new
                os.setxattr(path, OPAQUE_XATTR, b"y", follow_symlinks=False)
        self._directories.add(path)
        self.totals.inodes += 1
        self.totals.used_bytes += DISK_BLOCK_BYTES

    def _place(self, path: bytes, make: Callable[[], None]) -> None:
        try:
            make()
        except FileExistsError:
            self._clear(path)
            make()

    def _clear(self, path: bytes) -> None:
        """Remove what an earlier entry made there, because the last entry counts."""
        if path not in self._directories:
            os.unlink(path)
            self._whiteouts.discard(path)
            return
        if not path:
            raise UnpackError("bad", "the layer's root is not a directory")
        _delete_tree(path)
        below = path + b"/"
        for names in (self._directories, self._whiteouts, self.totals.implicit):
            names -= {name for name in names if name == path or name.startswith(below)}
        for name in [name for name in self._explicit if name == path or name.startswith(below)]:
            del self._explicit[name]

    # Attributes

    def _own(self, path: bytes, entry: ArchiveEntry) -> None:
        if entry.uid or entry.gid:
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)

    def _set_xattrs(self, target: bytes | int, entry: ArchiveEntry) -> None:
        """Set extended attributes.

        As in other engines, unsupported ones are dropped, and the parent logs their number.
        """
        for name, value in entry.xattrs:
            try:
                os.setxattr(target, name, value, follow_symlinks=isinstance(target, int))
            except OSError as failure:
                if failure.errno not in (errno.ENOTSUP, errno.EPERM, errno.EINVAL):
                    raise
                self.totals.lost_xattrs += 1


def _write(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def _delete_tree(path: bytes) -> None:
    for folder, folders, files in os.walk(path, topdown=False, onerror=_raise):
        for name in files:
            os.unlink(folder + b"/" + name)
        for name in folders:
            if os.path.islink(folder + b"/" + name):
                os.unlink(folder + b"/" + name)
            else:
                os.rmdir(folder + b"/" + name)
    os.rmdir(path)


def _raise(failure: OSError) -> None:
    raise failure


def _check_space(size: int) -> None:
    disk = os.statvfs(b"/")
    if disk.f_bfree * disk.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _device(entry: ArchiveEntry, path: bytes) -> int:
    major, minor = header.number(entry.major), header.number(entry.minor)
    if not (0 <= major < MAJOR_LIMIT and 0 <= minor < MINOR_LIMIT):
        raise UnpackError("bad", f"{shown(path)} has the device number {major}:{minor}, which is out of range")
    return os.makedev(major, minor)
