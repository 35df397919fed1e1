"""Events about a slow change of group, so that people know what their pod waits for.

The reason and the wording are the kubelet's (pkg/volume/volume_linux.go).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.volumes.ownership import OwnershipProgress
from podwright.k8s.objects import Pod

FIRST_S, NEXT_S = 30.0, 60.0
REASON = "VolumePermissionChangeInProgress"
ADVICE = (
    "consider using OnRootMismatch - https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"
    "#configure-volume-permission-and-ownership-change-policy-for-pods"
)


@contextlib.contextmanager
def reported(events: EventRecorder, pod: Pod, path: str, progress: OwnershipProgress) -> Iterator[None]:
    """While the block runs, record an event about the volume at `path` after FIRST_S, and then every NEXT_S."""
    reports = _Reports(events, pod, path, progress)
    try:
        yield
    finally:
        reports.close()


class _Reports:
    def __init__(self, events: EventRecorder, pod: Pod, path: str, progress: OwnershipProgress) -> None:
        self._events = events
        self._pod = pod
        self._shown = path[max(0, path.find(pod.metadata.uid)) :]
        self._progress = progress
        self._timer = asyncio.get_running_loop().call_later(FIRST_S, self._first)

    def close(self) -> None:
        self._timer.cancel()

    def _first(self) -> None:
        self._tell(f"Setting volume ownership for {self._shown} is taking longer than expected, {ADVICE}")

    def _again(self) -> None:
        self._tell(f"Setting volume ownership for {self._shown}, processed {self._progress.files} files.")

    def _tell(self, message: str) -> None:
        self._events.pod(self._pod, "Warning", REASON, message)
        self._timer = asyncio.get_running_loop().call_later(NEXT_S, self._again)
