"""Programs that run from a sealed copy in memory instead of making one themselves each time.

OCI runtimes do not let a container reach the host's file that they were started from (CVE-2019-5736): at every start
they copy themselves to a memfd, seal it, and execute that; but not when they run from such a memfd already, however it
came to be ("an admin could bind-mount a sealed memfd", runc's cloned_binary.c, which crun has as well). So one copy,
made by us at the first use, does for all starts. It cannot be written to by anybody, us included.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os

log = logging.getLogger(__name__)

MFD_EXEC = 0x10  # since Linux 6.3: executable whatever vm.memfd_noexec says of memfds that do not tell
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE  # what runtimes look for
CHUNK_BYTES = 1 << 20
ELF = b"\x7fELF"


class SealedProgram:
    """One program's copy, as long as this process lives; made anew when the program's file has changed."""

    def __init__(self, source: str, link: str) -> None:
        """`source` is the program, `link` a path of ours where its copy is to be found, under the program's name."""
        self._source = source
        self._link = link
        self._fd = -1
        self._copied: object = None  # which file the copy is of

    def path(self) -> str:
        """What to execute: the link, or the program itself where it cannot be copied (a script, no memory)."""
        try:
            facts = os.stat(self._source)
        except OSError:
            return self._source
        identity = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if identity != self._copied:
            self._copied = identity
            try:
                self._renew(_sealed_copy(self._source))
            except OSError as failure:
                log.info("a program runs from its file: program=%s error=%s", self._source, failure)
                self._forget()
        return self._link if self._fd >= 0 else self._source

    def _renew(self, fresh: int) -> None:
        """Whoever is about to execute the copy of before gets the new one: the descriptor keeps its number."""
        if fresh >= 0 and self._fd >= 0:
            os.dup2(fresh, self._fd, inheritable=False)
            os.close(fresh)
            return
        self._forget()
        self._fd = fresh
        if fresh >= 0:
            _point(self._link, f"/proc/{os.getpid()}/fd/{fresh}")

    def _forget(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _sealed_copy(path: str) -> int:
    """A descriptor of the copy; -1 for what is no ELF program. Raises OSError."""
    with open(path, "rb") as source:
        if source.read(len(ELF)) != ELF:
            return -1
        fd = _memory(os.path.basename(path))
        try:
            offset = 0
            while sent := os.sendfile(fd, source.fileno(), offset, CHUNK_BYTES):
                offset += sent
            os.fchmod(fd, 0o555)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _memory(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | MFD_EXEC)
    except OSError:  # EINVAL: an older kernel, whose memfds can be executed all
        return os.memfd_create(name, flags)


def _point(link: str, target: str) -> None:
    os.makedirs(os.path.dirname(link), mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(link)
    os.symlink(target, link)
