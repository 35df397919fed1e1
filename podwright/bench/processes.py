"""Resource usage of a runtime's processes: memory (PSS) and CPU time of the daemon and its pods' monitors.

Memory is the proportional set size, so that shared pages count once. It comes from /proc/PID/smaps_rollup
(proc_pid_smaps(5)), which needs root for other users' processes. Processes inside pods, including pause processes, do
not count.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator

from podwright.cri.endpoint import socket_path
from podwright.linux import proc

KIB = 1024
CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))
CPU_FIELDS = slice(11, 15)  # utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5), after the name
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def listening_process(endpoint: str) -> int | None:
    """The process that called listen on the endpoint's socket, or None if it is in another PID namespace.

    Raises OSError if no process listens. With socket activation it is the service manager.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(socket_path(endpoint))
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid: int = CREDENTIALS.unpack(packed)[0]
    return pid or None


def pss_bytes(pid: int) -> int | None:
    """The proportional set size of a process, or None if it is gone or not readable."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return parse_pss(file.read())
    except (OSError, ValueError):
        return None


def parse_pss(rollup: str) -> int:
    """The `Pss:` line of a smaps_rollup in bytes. Raises ValueError without one."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * KIB
    raise ValueError("no Pss line")


def cpu_s(pid: int) -> float:
    """CPU time of a process and of all children that it waited for, to a clock tick. 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return parse_cpu_s(file.read())
    except OSError:
        return 0.0


def parse_cpu_s(stat: bytes) -> float:
    """The same from the text of /proc/PID/stat. The name in it may contain anything."""
    return sum(map(int, stat.rpartition(b")")[2].split()[CPU_FIELDS])) / TICKS_PER_S


def running_ns(pid: int) -> int:
    """CPU time of the living threads of a process, without children, in nanoseconds. 0 if it is gone."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    except OSError:
        pass  # the time of an ended thread is lost
    return total


def daemon_family(pid: int, without: Collection[int] = ()) -> list[int]:
    """The daemon and its descendants, except `without` (the monitors) and processes inside pods."""
    family = [pid]
    home = _pid_namespace(pid)
    for member in family:
        family += [child for child in proc.children(member) if child not in without and _pid_namespace(child) == home]
    return family


def monitors(ids: Collection[str], *, without: Collection[int]) -> list[int]:
    """All processes whose command line contains one of `ids`, such as conmon and shims, except `without`."""
    if not ids:
        return []
    return [pid for pid, line in _command_lines() if pid not in without and any(identity in line for identity in ids)]


def _pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _command_lines() -> Iterator[tuple[int, str]]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                yield int(name), file.read().decode(errors="replace")
        except OSError:
            continue
