"""Freezing and thawing a cgroup: the v1 freezer controller, or v2's own cgroup.freeze.

Called by the container room to pause containers, and before anything that needs their processes to run, such as
taking a signal. The kernel is the only record of what is frozen, so nothing has to survive a restart. Blocking
calls: callers with an event loop use a thread.
"""

from __future__ import annotations

import contextlib
import errno
import time

from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux.cgroup import CgroupHost, read_table

TIMEOUT_S = 5.0  # a process in an uninterruptible sleep cannot be frozen before it wakes
POLL_S = 0.001


def freeze(host: CgroupHost, path: str, timeout_s: float = TIMEOUT_S) -> None:
    """Return when every process of the cgroup stands still.

    Raises OSError, FailedPrecondition where there is no freezer, and DeadlineExceeded; all runs on then.
    """
    deadline = time.monotonic() + timeout_s
    while not _stands_still(host, path):
        if time.monotonic() > deadline:
            thaw(host, path)
            raise DeadlineExceeded(
                f"cgroup {path} does not freeze within {timeout_s:g} s", hint="a process may hang in the kernel"
            )
        _write(host, path, frozen=True)  # again each time: v1 may miss processes that are being forked
        time.sleep(POLL_S)


def thaw(host: CgroupHost, path: str) -> None:
    """Let it run again; a cgroup that is not frozen, or absent, is fine. Raises OSError."""
    if not is_frozen(host, path):
        return
    try:
        _write(host, path, frozen=False)
    except OSError as failure:
        if failure.errno not in (errno.ENOENT, errno.ENODEV):  # it went meanwhile
            raise


def is_frozen(host: CgroupHost, path: str) -> bool:
    """Whether it is frozen, or on the way there: whoever joins it stands still. False for an absent cgroup."""
    if root := host.controllers.get("freezer"):
        return _read(f"{root}/{path.strip('/')}/freezer.state") in ("FREEZING", "FROZEN")
    return _read(f"{host.unified}/{path.strip('/')}/cgroup.freeze") == "1"


def _stands_still(host: CgroupHost, path: str) -> bool:
    if root := host.controllers.get("freezer"):
        return _read(f"{root}/{path.strip('/')}/freezer.state") == "FROZEN"
    return read_table(f"{host.unified}/{path.strip('/')}/cgroup.events").get("frozen") == 1


def _write(host: CgroupHost, path: str, *, frozen: bool) -> None:
    # Where there is a v1 freezer, it is there that OCI runtimes look whether a container is paused.
    if root := host.controllers.get("freezer"):
        name, word = f"{root}/{path.strip('/')}/freezer.state", "FROZEN" if frozen else "THAWED"
    elif host.unified:
        name, word = f"{host.unified}/{path.strip('/')}/cgroup.freeze", str(int(frozen))
    else:
        raise FailedPrecondition("this host has no cgroup freezer", hint="mount the freezer controller, or cgroup v2")
    with open(name, "r+", encoding="ascii") as file:
        file.write(word)


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().strip()
    return ""
