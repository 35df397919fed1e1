"""Runs the unpack program on a blob that may still grow, and turns its report into a value or an error."""

from __future__ import annotations

import functools
import importlib.util
import os
import struct
import sys
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, Internal, PodwrightError, ResourceExhausted
from podwright.process import Command, ProcessRunner
from podwright.runtime.config import ImageSettings

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unpack", "__main__.py")
MARKS_FD = 3
MARK = struct.Struct("<Q")
MARK_STEP_BYTES = 1 << 18
REPORT_LIMIT_BYTES = 64 << 20  # up to 100,000 directory names
TIMEOUT_S = 4 * 3600.0  # a last resort: stalled downloads and cancelled callers end it much earlier


class BadLayer(FailedPrecondition):
    """The layer is malformed, hostile or larger than allowed. The same bytes will fail again."""


class DownloadEnded(FailedPrecondition):
    """The download ended before all bytes arrived. Whoever ended it knows the reason."""


class UnpackReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the program found.

    `implicit` are directories that the layer uses but does not describe (latin-1). `describes_root` says whether it
    has an entry for `/`.
    """

    diff_id: str
    plain_bytes: int
    used_bytes: int
    inodes: int
    entries: int
    lost_xattrs: int
    implicit: tuple[str, ...] = ()
    describes_root: bool = False


class _UnpackFailure(msgspec.Struct, frozen=True):
    kind: str
    message: str


class Marks:
    """Reports to the program how much of the blob is in the file. Use as a context manager."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.reader, True)
        self._announced_bytes = 0

    def __enter__(self) -> Marks:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        os.close(self.reader)

    def advance(self, available_bytes: int) -> None:
        """Report the current length."""
        if self._writer >= 0 and available_bytes >= self._announced_bytes + MARK_STEP_BYTES:
            try:
                os.write(self._writer, MARK.pack(available_bytes))
            except BlockingIOError:  # the program is gigabytes behind, so a later mark is enough
                return
            self._announced_bytes = available_bytes

    def end(self) -> None:
        """Report that no more data will come."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1


async def unpack(
    runner: ProcessRunner, tree: str, blob_fd: int, marks: Marks, size_bytes: int, limits: ImageSettings
) -> UnpackReport:
    """Unpack the blob behind `blob_fd`, which grows to `size_bytes`, into the empty directory `tree`.

    Raises BadLayer, DownloadEnded, ResourceExhausted and Internal. The caller deletes `tree` after a failure.
    """
    numbers = (size_bytes, limits.max_unpacked_bytes, limits.max_entries)
    command = Command(
        argv=(sys.executable, "-I", "-S", PROGRAM, tree, *map(str, numbers), *library_directories()),
        fds={0: blob_fd, MARKS_FD: marks.reader},
        timeout_s=TIMEOUT_S,
        output_limit_bytes=REPORT_LIMIT_BYTES,
    )
    completed = await runner.run(command)
    if completed.returncode:
        raise Internal(f"the unpack program ended with {completed.shell_code}: {completed.error_text()}")
    try:
        return msgspec.json.decode(completed.stdout, type=UnpackReport)
    except msgspec.ValidationError:
        raise _error(completed.stdout) from None
    except msgspec.DecodeError as failure:
        raise Internal(f"the unpack program gave an invalid report: {completed.error_text()}") from failure


def _error(output: bytes) -> PodwrightError:
    failure = msgspec.json.decode(output, type=_UnpackFailure)
    kinds: dict[str, Any] = {"bad": BadLayer, "limit": BadLayer, "aborted": DownloadEnded}
    if failure.kind == "space":
        return ResourceExhausted("the disk is full", hint="remove images, or free disk space under the daemon's root")
    error: PodwrightError = kinds.get(failure.kind, Internal)(failure.message)
    return error


@functools.cache
def library_directories() -> tuple[str, ...]:
    """The directories of isal and zstandard. The program runs without site-packages, which takes 10 ms to set up."""
    found = []
    for name in ("isal", "zstandard"):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(os.path.dirname(os.path.dirname(spec.origin)))
    return tuple(dict.fromkeys(found))
