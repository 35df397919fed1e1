"""Calls of OCI runtimes that outlived the daemon that made them: ended before the next one looks at what they left.

Called once at start. A `run` or `delete` that is still at work, or hangs, would otherwise change what recovery has
just looked at. What monitors called is not touched: they belong to their containers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time

from podwright.linux import proc

log = logging.getLogger(__name__)

GONE_TIMEOUT_S = 2.0
POLL_S = 0.002


def end_calls(state: str) -> None:
    """SIGKILL every call of a runtime that keeps its state below `state`, with its process group. Blocks."""
    abandoned = [int(name) for name in os.listdir("/proc") if name.isdigit() and is_call(int(name), state)]
    for pid in abandoned:
        log.warning("ending an OCI runtime call of a killed daemon: pid=%d", pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while any(proc.start_time(pid) is not None for pid in abandoned) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def is_call(pid: int, state: str) -> bool:
    """Whether a process is such a call: by its `--root`, as the leader of a session, in no container."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = file.read().split(b"\0")
        return (
            any(argument.startswith(f"--root={state}/".encode()) for argument in arguments)
            and os.getsid(pid) == pid
            and os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
        )
    except OSError:  # it has ended
        return False
