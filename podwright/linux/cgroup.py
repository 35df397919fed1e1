"""cgroups on every layout (v1, v2, hybrid): find them, read them, kill in them, remove them.

A cgroup is named by its path below the hierarchy's root (`/podwright/abc`), which is the same in every hierarchy. OCI
runtimes create and limit container cgroups.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from typing import Literal

import msgspec

from podwright.linux.mount import MountPoint, read_mounts

Layout = Literal["v1", "v2", "hybrid", "none"]

CGROUP_ROOT = "/sys/fs/cgroup"
# ENODEV: the cgroup was removed while its file is open. EOPNOTSUPP: cgroup.procs of a threaded cgroup.
# Other errors, such as EMFILE, say nothing about the cgroup.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.EOPNOTSUPP})


class CgroupHost(msgspec.Struct, frozen=True, kw_only=True):
    """The hierarchies of this host.

    `controllers` maps a v1 controller (or `name=systemd`) to its mount. `unified` is the mount of the v2 hierarchy,
    and `unified_controllers` are its controllers (on a hybrid host usually none, sometimes hugetlb).
    """

    layout: Layout
    controllers: dict[str, str] = msgspec.field(default_factory=dict)
    unified: str | None = None
    unified_controllers: frozenset[str] = frozenset()

    def directories(self, path: str) -> list[str]:
        """The directories of the cgroup `path`, one per hierarchy, whether they exist or not."""
        roots = dict.fromkeys([*self.controllers.values(), *([self.unified] if self.unified else [])])
        return [root + "/" + path.strip("/") for root in roots]

    def directory(self, path: str, controller: str) -> str | None:
        """The directory with `controller`'s files of the cgroup, or None if the host lacks it."""
        if controller in self.controllers:
            return self.controllers[controller] + "/" + path.strip("/")
        if self.unified and (self.layout == "v2" or controller in self.unified_controllers):
            return self.unified + "/" + path.strip("/")
        return None

    def has(self, controller: str) -> bool:
        """Whether limits of that controller can be set."""
        return controller in self.controllers or (self.layout == "v2" and controller in self.unified_controllers)


def judge_layout(
    mounts: list[MountPoint], unified_controllers: frozenset[str], v1_names: frozenset[str]
) -> CgroupHost:
    """The layout by the mounts: cgroup2 alone is v2, cgroup2 beside v1 controllers is hybrid.

    `v1_names` are the controllers that the kernel knows (/proc/cgroups).
    """
    controllers: dict[str, str] = {}
    unified: str | None = None
    for mount in mounts:
        if mount.filesystem == "cgroup2" and unified is None and mount.target.startswith(CGROUP_ROOT):
            unified = mount.target
        elif mount.filesystem == "cgroup" and mount.target.startswith(CGROUP_ROOT):
            names = os.path.basename(mount.target).split(",")
            controllers.update(dict.fromkeys((name for name in names if name in v1_names), mount.target))
            if names == ["systemd"]:
                controllers["name=systemd"] = mount.target
    layout: Layout = "none"
    if unified and controllers:
        layout = "hybrid"
    elif unified:
        layout = "v2"
    elif controllers:
        layout = "v1"
    return CgroupHost(layout=layout, controllers=controllers, unified=unified, unified_controllers=unified_controllers)


def detect() -> CgroupHost:
    """The layout of this host."""
    mounts = read_mounts(containing=CGROUP_ROOT)
    with open("/proc/cgroups", encoding="ascii") as file:
        names = frozenset(line.split()[0] for line in file if not line.startswith("#"))
    held: frozenset[str] = frozenset()
    for mount in mounts:
        if mount.filesystem == "cgroup2" and mount.target.startswith(CGROUP_ROOT):
            with contextlib.suppress(OSError), open(f"{mount.target}/cgroup.controllers", encoding="ascii") as file:
                held = frozenset(file.read().split())
    return judge_layout(mounts, held, names)


def read_file(path: str) -> str | None:
    """A small file of a cgroup, or None if it or its cgroup does not exist. Raises OSError."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError as failure:
        if failure.errno not in ABSENT:
            raise
        return None


def read_number(path: str) -> int | None:
    """The number in a one-value file, or None if it is missing or "max". Raises OSError."""
    text = read_file(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def read_table(path: str) -> dict[str, int]:
    """A flat "key number" file such as memory.stat. Empty if it is missing. Raises OSError."""
    table: dict[str, int] = {}
    for line in (read_file(path) or "").splitlines():
        key, _, value = line.partition(" ")
        with contextlib.suppress(ValueError):
            table[key] = int(value)
    return table


def memory_held_bytes(host: CgroupHost, path: str) -> int | None:
    """The cgroup's memory usage without reclaimable file pages, or None without memory accounting."""
    directory = host.directory(path, "memory")
    v1 = "memory" in host.controllers
    usage = read_number(f"{directory}/{'memory.usage_in_bytes' if v1 else 'memory.current'}")
    if usage is None:
        return None
    droppable = read_table(f"{directory}/memory.stat").get("total_inactive_file" if v1 else "inactive_file", 0)
    return max(usage - droppable, 0)


def processes(host: CgroupHost, path: str) -> set[int]:
    """The processes in the cgroup and below it, in any hierarchy, except those in PID namespaces that we cannot see.

    Raises OSError.
    """
    found: set[int] = set()
    for directory in host.directories(path):
        for folder, _, _ in os.walk(directory, onerror=_unless_absent):
            lines = (read_file(f"{folder}/cgroup.procs") or "").split()
            found.update(pid for line in lines if (pid := int(line)))  # unknown ones are all 0
    return found


def _unless_absent(failure: OSError) -> None:
    if failure.errno not in ABSENT:
        raise failure


def kill_all(host: CgroupHost, path: str, timeout_s: float = 2.0) -> bool:
    """SIGKILL everything in the cgroup until it is empty. Returns False if `timeout_s` was not enough. Blocks.

    Raises OSError if its content cannot be read. Frozen processes are killed as well: v2 lets them die, v1 must thaw
    them.
    """
    for folder, _, files in os.walk(f"{host.controllers.get('freezer')}/{path.strip('/')}"):
        if "freezer.state" in files:
            with contextlib.suppress(OSError), open(f"{folder}/freezer.state", "w", encoding="ascii") as file:
                file.write("THAWED")
    if host.unified:
        kill_file = f"{host.unified}/{path.strip('/')}/cgroup.kill"
        with contextlib.suppress(OSError), open(kill_file, "w", encoding="ascii") as file:
            file.write("1")
    deadline = time.monotonic() + timeout_s
    while pids := processes(host, path):
        _kill(host, path, pids)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _kill(host: CgroupHost, path: str, pids: set[int]) -> None:
    """SIGKILL those that are still in the cgroup while we hold their pidfd.

    A PID may have been reused for a process elsewhere, which must not get the signal.
    """
    with contextlib.ExitStack() as held:
        pidfds = {}
        for pid in pids:
            with contextlib.suppress(OSError):
                pidfds[pid] = os.pidfd_open(pid)
                held.callback(os.close, pidfds[pid])
        for pid in processes(host, path) & pidfds.keys():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfds[pid], signal.SIGKILL)


def remove(host: CgroupHost, path: str) -> None:
    """Remove the cgroup and those below it, in every hierarchy. Absent ones succeed. Raises OSError if it is busy."""
    for directory in host.directories(path):
        for folder, _, _ in os.walk(directory, topdown=False, onerror=_unless_absent):
            try:
                os.rmdir(folder)
            except OSError as failure:
                if failure.errno != errno.ENOENT:
                    raise
