"""Programs that run from a sealed copy in memory, so that they do not copy themselves each time.

OCI runtimes protect their own file on the host from containers (CVE-2019-5736): at every start they copy themselves
to a memfd, seal it, and execute it. They skip that if they already run from such a memfd ("an admin could bind-mount
a sealed memfd", runc's cloned_binary.c, which crun shares). So one copy, made at the first use, serves all starts.
Nothing can write to it, including us.
"""

from __future__ import annotations

import fcntl
import logging
import os

from podwright.linux.files import remove_file

log = logging.getLogger(__name__)

MFD_EXEC = 0x10  # since Linux 6.3: executable despite vm.memfd_noexec, which applies to memfds without this flag
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE  # what runtimes check for
CHUNK_BYTES = 1 << 20
ELF = b"\x7fELF"


class SealedProgram:
    """One program's copy, for the lifetime of this process. It is renewed when the program's file has changed."""

    def __init__(self, source: str, link: str) -> None:
        """`source` is the program. `link` is a path of ours for its copy, with the program's name."""
        self._source = source
        self._link = link
        self._fd = -1
        self._copied: object = None  # the file that was copied

    def path(self) -> str:
        """The path to execute: the link, or the program itself if it cannot be copied (a script, no memory)."""
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
                log.info(
                    "cannot seal a copy of the program, using its file: program=%s error=%s", self._source, failure
                )
                self._forget()
        return self._link if self._fd >= 0 else self._source

    def _renew(self, fresh: int) -> None:
        """Replace the copy. The descriptor keeps its number, so running users get the new one."""
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
    """A descriptor of the copy, or -1 for a program that is not ELF. Raises OSError."""
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
    except OSError:  # EINVAL: an older kernel, where all memfds are executable
        return os.memfd_create(name, flags)


def _point(link: str, target: str) -> None:
    os.makedirs(os.path.dirname(link), mode=0o700, exist_ok=True)
    remove_file(link)
    os.symlink(target, link)
