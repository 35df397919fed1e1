"""Keeps the kernel's cgroup lock warm while containers start.

Moving a process into a cgroup takes `cgroup_threadgroup_rwsem` for writing. If there was no writer for a while, that
waits for an RCU grace period (7 to 20 ms, kernel/locking/percpu-rwsem.c). Within a grace period of the last writer it
takes microseconds. An OCI runtime does this in every create, and it is the longest part of it. So while starts are in
progress, a thread moves this process into its current cgroup. That changes nothing, but the runtime finds the lock
warm. The wait overlaps with the creation of the sandbox instead of following it.
"""

from __future__ import annotations

import logging
import os
import threading
import time

log = logging.getLogger(__name__)

WINDOW_S = 0.1  # how long the lock is kept warm after the last call: the time from a pod's first RPC to its create
EXEC_WINDOW_S = 0.01  # a runtime's exec moves its process after 2 or 3 ms
PERIOD_S = 0.003  # well below a grace period


def own_procs_file(self_cgroup: str, unified: str | None, controllers: dict[str, str]) -> str | None:
    """The cgroup.procs file of this process's cgroup, or None if the host shows none.

    `self_cgroup` is the text of /proc/self/cgroup. The others are the mounts of the hierarchies.
    """
    for line in self_cgroup.splitlines():
        _, names, path = line.split(":", 2)
        mount = unified if not names else controllers.get(names.split(",")[0])
        if mount:
            return f"{mount}{path.rstrip('/')}/cgroup.procs"
    return None


class WarmCgroupLock:
    """Call `warm` when a start is about to happen. It returns at once."""

    def __init__(self, procs_file: str | None) -> None:
        """With `procs_file` None it does nothing."""
        self._file = procs_file
        self._until = 0.0
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def warm(self) -> None:
        """Keep the lock warm for the next WINDOW_S."""
        self._warm(WINDOW_S)

    def warm_for_exec(self) -> None:
        """The same for EXEC_WINDOW_S."""
        self._warm(EXEC_WINDOW_S)

    def _warm(self, window_s: float) -> None:
        if self._file is None:
            return
        self._until = max(self._until, time.monotonic() + window_s)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cgroup-lock", daemon=True)
            self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while not self._closed and time.monotonic() < self._until:
                if not self._touch():
                    return
                time.sleep(PERIOD_S)
            if self._closed:
                return

    def _touch(self) -> bool:
        try:
            fd = os.open(self._file or "", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"%d" % os.getpid())
            finally:
                os.close(fd)
        except OSError as failure:
            log.info("cannot keep the cgroup lock warm: file=%s error=%s", self._file, failure.strerror)
            self._file = None
            return False
        return True

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=1)
