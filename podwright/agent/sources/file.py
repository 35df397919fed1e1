"""Static pods from a file or a folder of manifests (staticPodPath).

A folder gives one pod per regular file, in the order of names. Hidden files and folders in it are ignored. inotify
shows changes, and the whole folder is read again every `period_s` in case a notice was lost. If a file cannot be read
as a pod, its previous pod is kept, because a half-written manifest must not end a pod. A file that is removed ends its
pod, even if it is back before the folder is read, as with a kubelet (pkg/kubelet/config/file_linux.go of Kubernetes
1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable

import msgspec

from podwright.agent.sources.changes import FILE
from podwright.agent.sources.static import static_pod
from podwright.errors import InvalidArgument, PodwrightError, reason
from podwright.k8s.objects import Pod
from podwright.linux import inotify
from podwright.linux.inotify import Inotify

log = logging.getLogger(__name__)

SIZE_LIMIT_BYTES = 10 * 1024 * 1024
SETTLE_S = 0.02  # from a file's creation until it is read, because at first it is empty
REARM_S = 1.0
CHANGES = (
    inotify.IN_CLOSE_WRITE
    | inotify.IN_ATTRIB
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
    | inotify.IN_DELETE
    | inotify.IN_DELETE_SELF
    | inotify.IN_MOVE_SELF
    | inotify.IN_CREATE  # the only notice of a link
)
REMOVALS = inotify.IN_DELETE | inotify.IN_MOVED_FROM

ReadPod = Callable[[bytes, str], Pod]
Stamp = tuple[int, int, int]  # inode, size, time of the last change: another stamp is another content
SIZE = 1
UNREAD: Stamp = (0, 0, 0)


class _KnownFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was last read. `pod` is None as long as it never held one."""

    stamp: Stamp
    pod: Pod | None
    problem: str = ""


class FileSource:
    """Watches one path."""

    def __init__(self, path: str, node_name: str, read_pod: ReadPod, *, period_s: float = 20.0) -> None:
        """`read_pod` makes a pod of a file's bytes, and raises InvalidArgument. Its second argument names the file."""
        self._path = path
        self._node_name = node_name
        self._read_pod = read_pod
        self._period_s = period_s
        self._files: dict[str, _KnownFile] = {}
        self._removed: set[str] = set()  # names of files removed since the folder was last read
        self._problem = ""

    async def sets(self) -> AsyncIterator[list[Pod]]:
        """Yield the complete set of pods, at first and whenever it may have changed. Never ends."""
        changed = asyncio.Event()
        while True:
            try:
                with contextlib.closing(Inotify()) as notices:
                    watched = self._watch(notices, changed)
                    yield await asyncio.to_thread(self.read)
                    while watched:
                        await self._wait(changed)
                        if self._forget_removed():
                            yield self._pods()
                        yield await asyncio.to_thread(self.read)
                        watched = not self._problem
            except OSError as failure:  # such as when no inotify instance is left
                log.warning("cannot watch manifests: path=%s error=%s", self._path, failure)
                yield await asyncio.to_thread(self.read)
            await asyncio.sleep(min(REARM_S, self._period_s))

    def _watch(self, notices: Inotify, changed: asyncio.Event) -> bool:
        """Watch the path. Returns False if it does not exist yet. Then it is checked each second."""

        def notice(mask: int, name: str) -> None:
            if mask & REMOVALS:
                self._removed.add(name)
            if mask & inotify.IN_CREATE:
                asyncio.get_running_loop().call_later(SETTLE_S, changed.set)
            else:
                changed.set()

        try:
            notices.add_notices(self._path, CHANGES, notice)
        except FileNotFoundError:
            return False
        return True

    async def _wait(self, changed: asyncio.Event) -> None:
        """Wait for a notice, or until the path must be read anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._period_s):
                await changed.wait()
        changed.clear()

    def _forget_removed(self) -> bool:
        """Forget removed files, so that new files with their names are read. Returns whether there were any."""
        removed, self._removed = self._removed, set()
        gone = [path for name in removed if (path := os.path.join(self._path, name)) in self._files]
        for path in gone:
            del self._files[path]
        return bool(gone)

    def _pods(self) -> list[Pod]:
        return [known.pod for known in self._files.values() if known.pod is not None]

    def read(self) -> list[Pod]:
        """The pods that the path holds now. Blocks: a large manifest takes seconds.

        A path that never existed has none. A path that has vanished, or cannot be listed, keeps its pods, because a
        file system that is not mounted must not end pods.
        """
        try:
            paths = _files(self._path)
        except OSError as failure:
            self._note_problem(failure)
        else:
            self._problem = ""
            found = {path: known for path in paths if (known := self._read_file(path)) is not None}
            self._files = found
        return self._pods()

    def _note_problem(self, failure: OSError) -> None:
        why = reason(failure, path=self._path)
        is_new, self._problem = why != self._problem, why
        if is_new and self._files:
            log.error("cannot read manifests, their pods run on: path=%s error=%s", self._path, why)
        elif is_new:
            log.warning("there are no manifests: path=%s error=%s", self._path, why)

    def _read_file(self, path: str) -> _KnownFile | None:
        """Read a file. None if it is no regular file, or does not exist any more."""
        before, stamp = self._files.get(path), UNREAD
        try:
            with open(path, "rb", opener=_open_regular) as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
                if before is not None and before.stamp == stamp:
                    return before
                data = file.read(SIZE_LIMIT_BYTES + 1)
            return _KnownFile(stamp=stamp, pod=self._pod(path, data))
        except FileNotFoundError:
            return None
        except (PodwrightError, OSError) as failure:
            return self._kept(path, before, stamp, reason(failure, path=path))
        except Exception as failure:  # a bug in the reader must not end the pods of other files
            log.exception("a manifest cannot be taken apart: file=%s", path)
            return self._kept(path, before, stamp, f"{type(failure).__name__}: {failure}")

    def _pod(self, path: str, data: bytes) -> Pod:
        if len(data) > SIZE_LIMIT_BYTES:
            raise InvalidArgument(f"{path} is larger than {SIZE_LIMIT_BYTES >> 20} MiB")
        pod = self._read_pod(data, path)
        return static_pod(pod, source=FILE, origin=path, node_name=self._node_name)

    def _kept(self, path: str, before: _KnownFile | None, stamp: Stamp, problem: str) -> _KnownFile:
        """The entry of an invalid file: its previous pod. The file is read again when it has changed."""
        if before is None or before.problem != problem:
            kept = " (its previous pod runs on)" if before is not None and before.pod is not None else ""
            # An empty file is mostly being written, and is read when it is closed.
            level = logging.INFO if stamp[SIZE] == 0 and stamp != UNREAD else logging.ERROR
            log.log(level, "cannot read a manifest: file=%s error=%s%s", path, problem, kept)
        return _KnownFile(stamp=stamp, pod=before.pod if before is not None else None, problem=problem)


def _files(path: str) -> list[str]:
    """The path itself, or the files in it by name. Raises OSError."""
    try:
        names = sorted(os.listdir(path))
    except NotADirectoryError:
        return [path]
    return [os.path.join(path, name) for name in names if not name.startswith(".")]


def _open_regular(path: str, flags: int) -> int:
    """Open a regular file, through links.

    A fifo would block the reader, and to open a device can start it. Raises FileNotFoundError for other kinds of
    files.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileNotFoundError(path)
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(path)
    return fd
