"""Processes: runtimes and monitors by name, and whatever runs in our directories, cgroups or root filesystems."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tools.leaks.thing import Scope, Thing

KERNEL_THREAD = 0x00200000  # PF_KTHREAD of linux/sched.h
NAMES = ("conmon", "crun", "runc", "containerd", "docker-registry")  # prefixes of /proc/PID/comm


def processes(scope: Scope) -> Iterator[Thing]:
    """Every runtime process, and every process that is ours; not this one, no zombies, no threads of the kernel."""
    host = os.readlink("/proc/self/ns/mnt")
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            thing = _process(f"/proc/{entry}", scope, host)
        except OSError:  # also EINVAL: mountinfo of a process that has just let go of its mount namespace
            continue  # it ended while we looked, or belongs to somebody else
        if thing is not None:
            yield thing


def _process(folder: str, scope: Scope, host: str) -> Thing | None:
    # proc_pid_stat(5): the name is in parentheses and may hold some; fields 3, 9 and 22 are state, flags, start time.
    before, _, after = _text(f"{folder}/stat").rpartition(") ")
    fields = after.split()
    if fields[0] == "Z" or int(fields[6]) & KERNEL_THREAD:
        return None
    comm = before.partition(" (")[2]
    command = _text(f"{folder}/cmdline")
    ours = scope.mentioned_in(command) or _is_in_ours(folder, scope, host)
    if not ours and not comm.startswith(NAMES):
        return None
    words = command.replace("\0", " ").strip()
    return Thing(kind="process", name=f"{folder[6:]} {comm} @{fields[19]}", detail=words[:300], ours=ours)


def _is_in_ours(folder: str, scope: Scope, host: str) -> bool:
    """Whether its directory, its cgroups or its root are. `host` is our mount namespace."""
    if scope.holds(os.readlink(f"{folder}/cwd")) or scope.mentioned_in(_text(f"{folder}/cgroup")):
        return True
    if os.readlink(f"{folder}/ns/mnt") == host:
        return scope.holds(os.readlink(f"{folder}/root"))
    return _overlay_is_ours(folder, scope)


def _overlay_is_ours(folder: str, scope: Scope) -> bool:
    """A container's command line names nothing of ours, but the overlay at its `/` does."""
    for line in _text(f"{folder}/mountinfo").splitlines():
        if line.split()[4] == "/":
            return scope.mentioned_in(line)
    return False


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
