"""Freezes and thaws a cgroup: by the v1 freezer controller, or v2's cgroup.freeze. Blocks.

Used to pause containers, and before anything that needs their processes to run, such as a signal. Only the kernel
records what is frozen, so a restart loses nothing. Callers with an event loop use a thread.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import time

from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux.cgroup import CgroupHost, read_table

TIMEOUT_S = 5.0  # a process in an uninterruptible sleep cannot be frozen before it wakes
POLL_S = 0.001
# A frozen process may hold what another one needs before it can freeze. The kernel's documentation of v1 advises to
# thaw then, and to try again (freezer-subsystem.txt). runc does so as well.
THAW_EACH, THAW_S = 50, 0.01


def freeze(host: CgroupHost, path: str, timeout_s: float = TIMEOUT_S) -> None:
    """Return when every process of the cgroup is frozen.

    Raises OSError, FailedPrecondition without a freezer, and DeadlineExceeded. After a failure all processes run.
    """
    deadline = time.monotonic() + timeout_s
    for attempt in itertools.count(1):
        if _stands_still(host, path):
            return
        if time.monotonic() > deadline:
            thaw(host, path)
            raise DeadlineExceeded(
                f"cgroup {path} does not freeze within {timeout_s:g} s", hint="a process may hang in the kernel"
            )
        if attempt % THAW_EACH == 0:
            thaw(host, path)
            time.sleep(THAW_S)
        _write(host, path, frozen=True)  # again each time, because v1 may miss processes during a fork
        time.sleep(POLL_S)


def thaw(host: CgroupHost, path: str) -> None:
    """Let it run again. A cgroup that is not frozen, or absent, succeeds. Raises OSError."""
    if not is_frozen(host, path):
        return
    try:
        _write(host, path, frozen=False)
    except OSError as failure:
        if failure.errno not in (errno.ENOENT, errno.ENODEV):  # it was removed in the meantime
            raise


def is_frozen(host: CgroupHost, path: str) -> bool:
    """Whether it is frozen or being frozen, which also affects processes that join it. False for an absent cgroup."""
    if root := host.controllers.get("freezer"):
        return _read(f"{root}/{path.strip('/')}/freezer.state") in ("FREEZING", "FROZEN")
    return _read(f"{host.unified}/{path.strip('/')}/cgroup.freeze") == "1"


def _stands_still(host: CgroupHost, path: str) -> bool:
    if root := host.controllers.get("freezer"):
        return _read(f"{root}/{path.strip('/')}/freezer.state") == "FROZEN"
    return read_table(f"{host.unified}/{path.strip('/')}/cgroup.events").get("frozen") == 1


def _write(host: CgroupHost, path: str, *, frozen: bool) -> None:
    # If there is a v1 freezer, OCI runtimes check it for paused containers.
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
