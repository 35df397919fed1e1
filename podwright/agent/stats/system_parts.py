"""Finds the cgroups of the parts of the system that the summary shows beside pods."""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from podwright.agent.stats.records import Moment, moment
from podwright.linux.cgroup import CgroupHost, read_file

CONNECT_S = 1.0
_CREDENTIALS = struct.Struct("3i")  # of SO_PEERCRED: pid, uid, gid


def own_cgroup(host: CgroupHost, pid: int | str = "self") -> str:
    """The cgroup of a process (its memory cgroup if hierarchies differ). Empty if it has none, or has ended."""
    return cgroup_in(read_file(f"/proc/{pid}/cgroup") or "", v1="memory" in host.controllers)


def cgroup_in(text: str, *, v1: bool) -> str:
    """The path in a file /proc/PID/cgroup (cgroups(7)). Pure."""
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (v1 and "memory" in controllers.split(",")) or (not v1 and not controllers):
            return path
    return ""


def server_of(endpoint: str) -> int:
    """The process that listens on a unix socket, according to the kernel (unix(7), SO_PEERCRED).

    0 if there is none.
    """
    path = endpoint.removeprefix("unix://")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_S)
        probe.connect(path)
        data = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(data)[0])
    return 0


def made_at(host: CgroupHost, path: str) -> Moment | None:
    """When the cgroup was made. None for an absent one."""
    directory = host.directory(path, "memory") or host.directory(path, "cpuacct")
    with contextlib.suppress(OSError):
        if directory is not None:
            return moment(os.stat(directory).st_mtime_ns)
    return None


class RuntimeProcess:
    """The container runtime's process, found by its socket and remembered until it ends."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._pid = 0

    def cgroup(self, host: CgroupHost) -> str:
        """Its cgroup. Empty if it is unknown, or is the root."""
        found = own_cgroup(host, self._pid) if self._pid else ""
        if not found:
            self._pid = server_of(self._endpoint)
            found = own_cgroup(host, self._pid) if self._pid else ""
        return found.rstrip("/")
