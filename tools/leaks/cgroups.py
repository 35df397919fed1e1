"""Control groups in every mounted hierarchy, v1 and v2."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.leaks.thing import Scope, Thing

CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
STOP_TIMEOUT_S = 60.0
OUR_DEFAULT = "podwright"  # the first part of the daemon's default parent


def cgroups(scope: Scope) -> Iterator[Thing]:
    """Groups below our parents or the daemon's default, and any group that is named after a container."""
    parents = _parents(scope)
    for hierarchy in hierarchies():
        for folder, names, _ in os.walk(hierarchy):
            for name in names:
                path = f"{folder}/{name}"
                inside = path[len(hierarchy) + 1 :]
                ours = any(inside == parent or inside.startswith(f"{parent}/") for parent in parents)
                if ours or inside.split("/")[0] == OUR_DEFAULT or CONTAINER_ID.search(name):
                    yield Thing(kind="cgroup", name=path, ours=ours)


def hierarchies() -> list[str]:
    """The mount points of cgroup filesystems."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith(("cgroup ", "cgroup2 ")):
            found.append(left.split()[4])
    return list(dict.fromkeys(found))


def remove_empty_parents(scope: Scope) -> None:
    """Remove the scope's parents as the kubelet would, from the leaves up.

    A group named after a container belongs to the runtime: it stays, and with it its parents, to be seen as a leak.
    """
    for parent in _parents(scope):
        if parent.endswith(".slice"):
            _stop_slice(parent)
    for hierarchy in hierarchies():
        for parent in _parents(scope):
            for folder, _, _ in os.walk(os.path.join(hierarchy, parent), topdown=False):
                if not CONTAINER_ID.search(os.path.basename(folder)):
                    with contextlib.suppress(OSError):
                        os.rmdir(folder)


def _stop_slice(path: str) -> None:
    """systemd keeps a slice, and its cgroup, until somebody stops it. That would end containers in it too."""
    directories = [place for hierarchy in hierarchies() if os.path.isdir(place := os.path.join(hierarchy, path))]
    names = (name for place in directories for _, names, _ in os.walk(place) for name in names)
    if directories and not any(map(CONTAINER_ID.search, names)):
        command = ["systemctl", "stop", os.path.basename(path)]
        subprocess.run(command, check=False, capture_output=True, timeout=STOP_TIMEOUT_S)


def _parents(scope: Scope) -> list[str]:
    return [parent.strip("/") for parent in scope.cgroups]
