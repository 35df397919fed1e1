"""Makes and removes cgroups as directories. Blocking."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable

from podwright.agent.resources.cgroup_writes import Write, writes
from podwright.agent.resources.limits import CgroupLimits
from podwright.errors import DeadlineExceeded
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.linux.directories import ensure_directory

CONTROLLERS = ("cpu", "cpuset", "memory", "hugetlb", "pids", "io")
NEEDED = ("cpu", "cpuacct", "cpuset", "memory", "pids", "hugetlb", "name=systemd")
NEEDED_V2 = frozenset({"cpu", "cpuset", "memory", "hugetlb", "pids"})
REMOVE_TIMEOUT_S = 5.0
POLL_S = 0.01
MODE = 0o755


def exists(host: CgroupHost, path: str) -> bool:
    """Whether the cgroup exists in every hierarchy whose limits count, on v2 with all controllers that count."""
    if host.layout == "v2":
        try:
            return set(_words(f"{host.unified}{path}/cgroup.controllers")) >= NEEDED_V2 & host.unified_controllers
        except OSError:
            return False
    return has_directory(host, path)


def has_directory(host: CgroupHost, path: str) -> bool:
    """Whether the cgroup exists, though on v2 perhaps without controllers, which are enabled when needed."""
    if host.layout == "v2":
        return os.path.isdir(f"{host.unified}{path}")
    needed = (host.controllers[name] for name in NEEDED if name in host.controllers)
    return all(os.path.isdir(f"{mount}{path}") for mount in needed)


def make(host: CgroupHost, path: str, limits: CgroupLimits) -> None:
    """Make the cgroup and its parents in every hierarchy, and set the limits, also on an existing one.

    Raises OSError.
    """
    parts = path.strip("/").split("/")
    unified, cpuset = (host.unified or "").rstrip("/"), host.controllers.get("cpuset", "").rstrip("/")
    for mount in (each.rstrip("/") for each in host.directories("/")):
        if mount not in (unified, cpuset):  # the parents need nothing
            ensure_directory("/".join((mount, *parts)), MODE)
            continue
        directory = mount
        for part in parts:
            if mount == unified:
                _pass_controllers_on(directory)
            parent, directory = directory, f"{directory}/{part}"
            ensure_directory(directory, MODE)
            if mount == cpuset:
                _inherit_cpuset(parent, directory)
    set_limits(host, path, limits)


def set_limits(host: CgroupHost, path: str, limits: CgroupLimits) -> None:
    """Write the limits. Raises OSError, which names the file."""
    refused = _write(writes(limits, host, path))
    if refused:  # again: some depend on others, as a short period on its quota
        remaining = _write(write for write, _ in refused)
        if remaining:
            raise remaining[0][1]


def remove(host: CgroupHost, path: str, timeout_s: float = REMOVE_TIMEOUT_S) -> None:
    """Kill what is left in the cgroup and remove it. An absent one succeeds. Raises OSError and DeadlineExceeded."""
    deadline = time.monotonic() + timeout_s
    while True:
        if not cgroup.kill_all(host, path, timeout_s=max(deadline - time.monotonic(), POLL_S)):
            raise DeadlineExceeded(
                f"processes in cgroup {path} do not end within {timeout_s:g} s", hint="one may hang in the kernel"
            )
        try:
            cgroup.remove(host, path)
        except OSError as failure:
            # A process stays for a moment after its end, and a new one may have been started meanwhile.
            if failure.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return


def _pass_controllers_on(directory: str) -> None:
    """v2: enable controllers for child cgroups. Leaves out those that cannot be enabled."""
    available = _words(f"{directory}/cgroup.controllers")
    passed_on = _words(f"{directory}/cgroup.subtree_control")
    for name in CONTROLLERS:
        if name in available and name not in passed_on:
            _write([Write(path=f"{directory}/cgroup.subtree_control", text=f"+{name}")])


def _inherit_cpuset(parent: str, directory: str) -> None:
    """v1: copy the parent's cpuset: a new one is empty, and no process could join it. v2 does this itself."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        own = f"{directory}/{name}"
        if not _words(own):
            _put(own, " ".join(_words(f"{parent}/{name}")))


def text(path: str) -> str:
    """The content of a cgroup's file. Raises OSError."""
    with open(path, encoding="ascii") as file:
        return file.read()


def _words(path: str) -> list[str]:
    return text(path).split()


def _write(wanted: Iterable[Write]) -> list[tuple[Write, OSError]]:
    """Do the writes. Returns those that the kernel refused, each with its error."""
    refused: list[tuple[Write, OSError]] = []
    for write in wanted:
        try:
            _put(write.path, write.text)
        except FileNotFoundError as failure:
            if not write.optional:
                refused.append((write, failure))
        except OSError as failure:
            failure.filename = write.path  # a failed write has none
            refused.append((write, failure))
    return refused


def _put(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
