"""A cgroup for all pods of one node agent.

It is created before the agent starts, because a kubelet rejects a missing cgroupRoot, and removed when it is empty.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost

REMOVE_LIMIT_S = 5.0
POLL_S = 0.05
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


def make(host: CgroupHost, path: str) -> list[str]:
    """Create the cgroup in every hierarchy, usable for pods. Returns the new cgroups, parents first.

    Raises OSError, and FileExistsError if the cgroup itself exists.
    """
    names = path.strip("/").split("/")
    paths = ["/".join(names[: depth + 1]) for depth in range(len(names))]
    new = [each for each in paths if not any(map(os.path.exists, host.directories(each)))]
    if not new:
        raise FileExistsError(f"the cgroup {path} exists")
    for root in host.directories("/"):
        for each in paths:
            folder = Path(root, each)
            _delegate(folder.parent)
            folder.mkdir(exist_ok=True)
            _inherit_cpus(folder)
    return new


def _delegate(folder: Path) -> None:
    """v2: enable for children all controllers that this cgroup has, if possible."""
    with contextlib.suppress(OSError):
        for controller in (folder / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpus(folder: Path) -> None:
    """v1: a new cpuset has no processors and memory nodes, and accepts no process until it has (cpuset(7))."""
    for name in CPUSET_FILES:
        mine, parents = folder / name, folder.parent / name
        with contextlib.suppress(FileNotFoundError):  # v2, or another hierarchy
            if "cgroup.controllers" not in os.listdir(folder) and not mine.read_text().strip():
                mine.write_text(parents.read_text())


def remove(host: CgroupHost, made: Sequence[str]) -> None:
    """Remove what `make` created: the cgroup with all below it, and its parents unless others use them.

    A process that was just killed may hold the cgroup for a moment. Blocks. Raises OSError.
    """
    *parents, path = made
    _remove_soon(host, path)
    for parent in reversed(parents):
        for folder in host.directories(parent):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def _remove_soon(host: CgroupHost, path: str) -> None:
    deadline = time.monotonic() + REMOVE_LIMIT_S
    while True:
        try:
            cgroup.remove(host, path)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return
