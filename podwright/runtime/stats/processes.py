"""What /proc shows of a container's processes. They may end at any moment, and ended ones are not counted."""

from __future__ import annotations

import os

from podwright.runtime.model.usage import Processes
from podwright.runtime.stats import parse


def look(directory: str, first_pid: int) -> Processes:
    """Count the processes in a cgroup and below it, their descriptors and their sockets. Blocks.

    The limits are those of `first_pid`.
    """
    count = descriptors = sockets = 0
    for pid in _pids(directory):
        count += 1
        targets = _targets(f"/proc/{pid}/fd")
        descriptors += len(targets)
        sockets += sum(target.startswith("socket:") for target in targets)
    return Processes(
        count=count,
        file_descriptors=descriptors,
        sockets=sockets,
        max_open_files=parse.open_files_limit(_read(f"/proc/{first_pid}/limits")),
    )


def _pids(directory: str) -> list[int]:
    words = b" ".join(_read(f"{folder}/cgroup.procs") for folder, _, _ in os.walk(directory)).split()
    return [pid for word in words if (pid := parse.number(word)) is not None]


def _targets(folder: str) -> list[str]:
    """The target of each descriptor. Empty if it was closed in the meantime."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [_target(f"{folder}/{name}") for name in names]


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
