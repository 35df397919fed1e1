"""The program's flow: open, confine, unpack, report one JSON object on stdout.

Standard input is the blob, which may still grow. Descriptor 3 is the pipe of `source`. Exit code 0 means that there
is a report, of success or failure. Any other code is a bug, with details on stderr.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Mapping, Sequence

from podwright.runtime.storage.unpack import decode
from podwright.runtime.storage.unpack.archive import Archive
from podwright.runtime.storage.unpack.failure import UnpackError
from podwright.runtime.storage.unpack.source import GrowingFile
from podwright.runtime.storage.unpack.tree import UnpackedTree

BLOB_FD = 0
MARKS_FD = 3
SWITCH_INTERVAL_S = 0.0005  # the decoding thread needs the interpreter rarely and briefly, but without delay
PARENT_CHECK_ENTRIES = 256
SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
Report = Mapping[str, int | str | list[str]]


def main(arguments: Sequence[str]) -> int:
    """Run with TREE EXPECTED_BYTES MAX_UNPACKED_BYTES MAX_ENTRIES."""
    tree, *numbers = arguments
    expected_bytes, max_bytes, max_entries = map(int, numbers)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.disable()  # there are no reference cycles, and objects live to the end or are freed at once
    report: Report
    try:
        report = unpack(tree, GrowingFile(BLOB_FD, MARKS_FD, expected_bytes), max_bytes, max_entries)
    except UnpackError as failure:
        report = {"kind": failure.kind, "message": str(failure)}
    except OSError as failure:
        kind = "space" if failure.errno in SPACE_ERRNOS else "io"
        name = f": {failure.filename!r}" if failure.filename else ""
        report = {"kind": kind, "message": f"{os.strerror(failure.errno or errno.EIO)}{name}"}
    except RecursionError:
        report = {"kind": "bad", "message": "directories of the layer are nested too deeply"}
    _write_all(1, as_json(report))
    return 0


def unpack(tree_path: str, source: GrowingFile, max_bytes: int, max_entries: int) -> Report:
    """Unpack below `tree_path`, which becomes this process's root. Raises UnpackError and OSError."""
    os.umask(0)
    plain = decode.Plain(decode.opened(source), source.expected_bytes, max_bytes)
    os.chroot(tree_path)
    os.chdir("/")
    archive = Archive(iter(plain))
    tree = UnpackedTree(archive.data, max_bytes=max_bytes, max_entries=max_entries)
    parent = os.getppid()
    for count, entry in enumerate(archive):
        tree.add(entry)
        if count % PARENT_CHECK_ENTRIES == 0 and os.getppid() != parent:
            raise UnpackError("aborted", "the daemon that started the unpacking has ended")
    tree.finish()
    totals = tree.totals
    return {
        "diff_id": plain.digest,
        "plain_bytes": plain.size_bytes,
        "used_bytes": totals.used_bytes,
        "inodes": totals.inodes,
        "entries": totals.entries,
        "lost_xattrs": totals.lost_xattrs,
        "describes_root": tree.describes_root,
        "implicit": sorted(name.decode("latin-1") for name in totals.implicit),
    }


def as_json(value: Report | int | str | list[str]) -> bytes:
    """The result of json.dumps. Importing json takes longer than unpacking a small layer."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, str):
        return b'"%s"' % b"".join(map(_escaped, value))
    if isinstance(value, list):
        return b"[" + b",".join(map(as_json, value)) + b"]"
    return b"{" + b",".join(as_json(key) + b":" + as_json(item) for key, item in value.items()) + b"}"


def _escaped(character: str) -> bytes:
    code = ord(character)
    if code <= 0xFFFF:
        return b"\\u%04x" % code
    return b"\\u%04x\\u%04x" % (0xD7C0 + (code >> 10), 0xDC00 + (code & 0x3FF))


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
