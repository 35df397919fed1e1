"""The cgroup of a container: which one has its limits, and removing it, whatever its runtime has left there."""

from __future__ import annotations

import errno
import os
import time

from podwright.linux import cgroup, freezer
from podwright.linux.cgroup import CgroupHost

BUSY_TIMEOUT_S, BUSY_POLL_S = 2.0, 0.002
INNER = "container"  # crun's cgroup for the processes of a systemd scope on cgroup v2
SCOPE = ".scope"


def limited(cgroups: CgroupHost, path: str) -> str:
    """The cgroup in which the container's processes are, with its limits.

    It is `path`, or crun's below a systemd scope (crun(1), run.oci.systemd.subgroup). crun 1.8 limits only that one:
    the scope's `memory.max` is "max". Times without CPU are counted only where the quota is.
    """
    if cgroups.layout != "v2" or not path.endswith(SCOPE):
        return path
    inner = f"{path}/{INNER}"
    return inner if os.path.isdir(f"{cgroups.unified}/{inner.strip('/')}") else path


def freeze(cgroups: CgroupHost, path: str) -> None:
    """Freeze the cgroup in which the container's processes are. Blocks. See freezer.freeze.

    CRIU freezes that one and lets it run again to write a checkpoint: below a frozen scope it would never finish.
    """
    freezer.freeze(cgroups, limited(cgroups, path))


def thaw(cgroups: CgroupHost, path: str) -> None:
    """Let it run again, whichever of its cgroups is frozen. Raises OSError."""
    for each in dict.fromkeys((path, limited(cgroups, path))):
        freezer.thaw(cgroups, each)


def is_frozen(cgroups: CgroupHost, path: str) -> bool:
    """Whether the container is frozen, or being frozen."""
    return any(freezer.is_frozen(cgroups, each) for each in {path, limited(cgroups, path)})


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
