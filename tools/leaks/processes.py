"""Processes: runtimes and monitors by name, and whatever runs in our directories, cgroups or root filesystems."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tools.leaks.thing import Scope, Thing

NAMES = ("conmon", "crun", "runc", "containerd", "docker-registry")  # prefixes of /proc/PID/comm


def processes(scope: Scope) -> Iterator[Thing]:
    """Every runtime process, and every process that is ours; not this one, and no zombies."""
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            thing = _process(Path("/proc", entry), scope)
        except OSError:  # also EINVAL: mountinfo of a process that has just let go of its mount namespace
            continue  # it ended while we looked, or belongs to somebody else
        if thing is not None:
            yield thing


def _process(folder: Path, scope: Scope) -> Thing | None:
    comm, state, start_ticks = _stat(folder)
    if state == "Z":
        return None
    ours = _is_ours(folder, scope)
    if not ours and not comm.startswith(NAMES):
        return None
    command = (folder / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
    return Thing(kind="process", name=f"{folder.name} {comm} @{start_ticks}", detail=command[:300], ours=ours)


def _stat(folder: Path) -> tuple[str, str, str]:
    # proc_pid_stat(5): the name is in parentheses and may hold some; field 22 is the start time.
    before, _, after = (folder / "stat").read_text(errors="replace").rpartition(") ")
    fields = after.split()
    return before.partition(" (")[2], fields[0], fields[19]


def _is_ours(folder: Path, scope: Scope) -> bool:
    if scope.holds(os.readlink(folder / "cwd")):
        return True
    if any(scope.mentioned_in((folder / name).read_text(errors="replace")) for name in ("cmdline", "cgroup")):
        return True
    return _root_is_ours(folder, scope)


def _root_is_ours(folder: Path, scope: Scope) -> bool:
    """A container's command line names nothing of ours, but the overlay at its `/` does."""
    for line in (folder / "mountinfo").read_text(errors="replace").splitlines():
        if line.split()[4] == "/":
            return any(root in line for root in scope.roots)
    return False
