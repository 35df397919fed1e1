"""Adopts and reaps orphans of our children, because no other process does so in time, or at all.

If an OCI runtime cannot start a command in a container, it leaves a dead child behind. The child belongs to the
container's PID namespace, and the kernel keeps the container's first process from ending until the child is reaped.
That is a task of PID 1, which on some hosts checks only every few seconds, and in a container often does not exist.
"""

from __future__ import annotations

import asyncio
import os
import signal

from podwright.linux import libc
from podwright.process.runner import Process

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Called once by a daemon on its event loop. From then on, wait for children through `Process` only."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reap)


def reap() -> None:
    """Reap every child that has ended, including adopted ones."""
    while (pid := _ended()) is not None:
        if (started := Process.running.get(pid)) is not None:
            started.reap()
        else:
            os.waitpid(pid, os.WNOHANG)


def _ended() -> int | None:
    try:
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return seen.si_pid if seen is not None else None
