"""Finds the process that listens on a host port. Only for error messages, so it never fails."""

from __future__ import annotations

import contextlib
import os

from podwright.runtime.model.sandbox import Protocol

_TABLES = {Protocol.TCP: ("tcp", "tcp6"), Protocol.UDP: ("udp", "udp6")}
TCP_LISTEN = "0A"


def parse_inodes(table: str, port: int, *, listening_only: bool) -> set[str]:
    """The inodes of sockets bound to `port`, from the text of a file like /proc/net/tcp (proc_pid_net(5))."""
    inodes = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or not fields[1].endswith(f":{port:04X}"):
            continue
        if not listening_only or fields[3] == TCP_LISTEN:
            inodes.add(fields[9])
    return inodes


def find_holder(protocol: Protocol, port: int) -> str:
    """A description such as "nginx (pid 12)", or "another process". Reads all of /proc, which takes milliseconds."""
    inodes: set[str] = set()
    for name in _TABLES.get(protocol, ()):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as file:
            inodes |= parse_inodes(file.read(), port, listening_only=protocol == Protocol.TCP)
    targets = {f"socket:[{inode}]" for inode in inodes}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if any(_link(f"/proc/{pid}/fd/{fd}") in targets for fd in os.listdir(f"/proc/{pid}/fd")):
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                    return f"{file.read().strip()} (pid {pid})"
    return "another process"


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
