"""Memory of a runtime's processes: proportional set size, so that pages shared between monitors count once.

PSS comes from /proc/PID/smaps_rollup (proc_pid_smaps(5)); other users' processes need root.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator

from podwright.cri.endpoint import socket_path

KIB = 1024
CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))


def listening_process(endpoint: str) -> int | None:
    """The process that called listen on the endpoint's socket; None when it is in another PID namespace.

    Raises OSError when nothing listens. Under socket activation it is the service manager.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(socket_path(endpoint))
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid: int = CREDENTIALS.unpack(packed)[0]
    return pid or None


def pss_bytes(pid: int) -> int | None:
    """The proportional set size of a process; None when it is gone or not ours to see."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return parse_pss(file.read())
    except (OSError, ValueError):
        return None


def parse_pss(rollup: str) -> int:
    """The `Pss:` line of a smaps_rollup in bytes. Raises ValueError when there is none."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * KIB
    raise ValueError("no Pss line")


def monitors_pss_bytes(ids: Collection[str], *, without: Collection[int]) -> int:
    """PSS of all processes whose command line mentions one of `ids`: conmon, shims.

    `without` are processes to leave out, such as the daemon. What runs inside the pods is not counted.
    """
    if not ids:
        return 0
    return sum(
        pss_bytes(pid) or 0
        for pid, line in _command_lines()
        if pid not in without and any(identity in line for identity in ids)
    )


def _command_lines() -> Iterator[tuple[int, str]]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                yield int(name), file.read().decode(errors="replace")
        except OSError:
            continue
