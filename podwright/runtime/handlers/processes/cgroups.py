"""Removing the cgroup of a container, whatever its runtime has left there."""

from __future__ import annotations

import errno
import time

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost

BUSY_TIMEOUT_S, BUSY_POLL_S = 2.0, 0.002


def remove(cgroups: CgroupHost, path: str) -> None:
    """Kill what is in it, and remove it. A process that is no longer listed keeps it busy for a moment. Blocks."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        cgroup.kill_all(cgroups, path)
        try:
            cgroup.remove(cgroups, path)
        except OSError as failure:
            if failure.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(BUSY_POLL_S)
