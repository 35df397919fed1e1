"""Knowing the processes of one exec among all in its container, whatever they do to get away from their parents.

setsid and double forks leave neither session nor ancestry to go by, environments can be emptied, and a cgroup for
each exec would cost as much as the exec. But every process inherits its timer slack, the number of nanoseconds by
which the kernel may delay its timers to join them with others: 50,000 unless somebody sets another. Some thousands
less cannot be felt, and as a number of its own it is a mark that no program has by chance: the daemon sets it on the
OCI runtime (`process.Command`), and all that the runtime starts has it.

What does not hold: a process may set another slack (prctl(2), PR_SET_TIMERSLACK), which few do. `proc.kill_tree` is
used besides. And there are 39,600 marks only: what an exec has left behind may have the same one as a much later exec,
so a mark counts only on processes that are no older than the exec.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import signal
import time
from collections.abc import Mapping

from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost

LEAST_NS, USUAL_NS = 10_000, 50_000
POLL_S = 0.002
TOKEN = re.compile(r"exec-([0-9a-f]{4})-")
BLOCK_NS = 100  # no multiple of it is a mark: people choose such
MARKS = (USUAL_NS - LEAST_NS) // BLOCK_NS * (BLOCK_NS - 1)
_numbers = itertools.count(secrets.randbelow(MARKS))


def new_token() -> str:
    """What the names of a new exec's files begin with. All marks are used before one is used again."""
    blocks, rest = divmod(next(_numbers) % MARKS, BLOCK_NS - 1)
    mark = LEAST_NS + blocks * BLOCK_NS + 1 + rest
    return f"exec-{mark:04x}-{secrets.token_hex(8)}"


def of_path(path: str) -> int | None:
    """The mark of the exec with this file, by the token in its name, or None."""
    found = TOKEN.match(os.path.basename(path))
    return int(found[1], 16) if found else None


def mark_of(pid: int) -> int | None:
    """The mark of a process, or None if it has none or is gone."""
    try:
        with open(f"/proc/{pid}/timerslack_ns", "rb") as file:
            slack_ns = int(file.read())
    except (OSError, ValueError):
        return None
    return slack_ns if LEAST_NS < slack_ns < USUAL_NS and slack_ns % BLOCK_NS else None


def kill_marked(host: CgroupHost, path: str, marks: Mapping[int, int], timeout_s: float = 1.0) -> bool:
    """SIGKILL every process in a container's cgroup that has one of the marks, until there is none.

    `marks` has the start time of each exec's command as in `linux.proc`, or 0. Older processes are not its. Returns
    False if `timeout_s` was not enough. Blocks.
    """
    deadline = time.monotonic() + timeout_s
    while found := [pid for pid in cgroup.processes(host, path) if _belongs(pid, marks)]:
        for number in (signal.SIGSTOP, signal.SIGKILL):  # all stand still before the first one dies
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _belongs(pid: int, marks: Mapping[int, int]) -> bool:
    mark = mark_of(pid)
    return mark is not None and mark in marks and (proc.start_time(pid) or 0) >= marks[mark]
