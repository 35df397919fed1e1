"""Failures of a pod as a whole: a refused admission, and failures of a pass that decide when the next one is due."""

from __future__ import annotations

from collections.abc import Sequence

from podwright.agent.pods.reasons import ContainerFailure
from podwright.errors import Internal, PodwrightError


class NotAdmitted(PodwrightError):
    """A pod cannot get resources that it wants. `reason` is one of the kubelet's, such as TopologyAffinityError."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NetworkNotReady(PodwrightError):
    """The runtime's network is not ready: only pods on the host's network can start."""


class BackOff(PodwrightError):
    """A container or an image must wait before the next try. `until_ns` is in nanoseconds since the epoch."""

    def __init__(self, message: str, *, until_ns: int) -> None:
        super().__init__(message)
        self.until_ns = until_ns

    def seconds(self, now_ns: int) -> float:
        """The rest of the wait."""
        return max(0.0, (self.until_ns - now_ns) / 1e9)


def combined(failures: Sequence[PodwrightError]) -> PodwrightError:
    """One failure of a pass for all failures of its containers: a BackOff until the first wait ends, if any waits."""
    text = "; ".join(_text(failure) for failure in failures)
    waits = [
        failure.until_ns
        for failure in failures
        if isinstance(failure, ContainerFailure) and failure.until_ns is not None
    ]
    return BackOff(text, until_ns=min(waits)) if waits else Internal(text)


def _text(failure: PodwrightError) -> str:
    if isinstance(failure, ContainerFailure):
        return f"container {failure.container}: {failure.reason}: {failure.message}"
    return str(failure)
