"""Orphans of our children become ours, and are reaped: nobody else may do so in time, or at all.

An OCI runtime that cannot start a command in a container leaves a dead child behind. It belongs to the container's
PID namespace, and the kernel keeps the container's first process from ending until somebody has reaped it. That is
the work of PID 1, which on some hosts looks every few seconds, and inside a container is often nobody.
"""

from __future__ import annotations

import asyncio
import os
import signal

from podwright.linux import libc
from podwright.process.runner import Process

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Called once, by a daemon, on its event loop; whoever waits for children must do so through `Process`."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reap)


def reap() -> None:
    """Reap every child that has ended, started here or not."""
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
