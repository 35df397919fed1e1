"""What a container's first process gets from us between the runtime's create and its start.

OCI runtimes do not do this reliably. In a user namespace they cannot change the owner of conmon's pipes, or only for
root. A restored process has new pipes. crun before 1.9 leaves a process with oom_score_adj 0 with its parent's value,
which is the daemon's.
"""

from __future__ import annotations

import contextlib
import os
import stat

from podwright.linux import proc
from podwright.runtime.handlers.protocol import Bundle


def set_up(bundle: Bundle, pid: int) -> None:
    """Give it its stdio, and its oom_score_adj. A restored one runs already, and has brought the latter along."""
    give_pipes(pid, bundle.owner)
    if not bundle.checkpoint:
        proc.set_oom_score_adj(pid, bundle.oom_score_adj)


def give_pipes(pid: int, owner: tuple[int, int]) -> None:
    """Let the user and the group, both of the host, have the pipes that the process has as 0, 1 and 2.

    Whoever opens /dev/stdout needs the right to do so, as for a file. What is no pipe (a terminal, or whatever a
    restored process has put there) is not touched: it may belong to others.
    """
    pipes = _pipe_device()
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):  # it has ended, or has closed it
            fd = os.open(f"/proc/{pid}/fd/{number}", os.O_PATH | os.O_CLOEXEC)
            try:
                facts = os.fstat(fd)
                if stat.S_ISFIFO(facts.st_mode) and facts.st_dev == pipes:  # a named pipe is on another device
                    os.chown(f"/proc/self/fd/{fd}", *owner)
            finally:
                os.close(fd)


def _pipe_device() -> int:
    """The device of the kernel's filesystem for pipes without names."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        return os.fstat(reader).st_dev
    finally:
        os.close(reader)
        os.close(writer)
