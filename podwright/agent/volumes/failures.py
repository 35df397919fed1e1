"""Failures of volumes that are reported in different ways."""

from __future__ import annotations

from podwright.errors import FailedPrecondition, Unavailable

FAILED_MOUNT, FAILED_MAP = "FailedMount", "FailedMapVolume"


class NotProcessed(Unavailable):
    """The volume cannot be planned: its claim is not bound, or cannot be read.

    Callers that wait for the pod's volumes get it at once, because waiting is of no use (the kubelet's "failed to
    process").
    """


class AttachLimitExceeded(FailedPrecondition):
    """A volume exceeds its driver's limit of volumes on this node and is not attached: the pod cannot run here."""


class StepFailed(Unavailable):
    """A step of making a volume ready has failed. `reason` is that of its event, the wording the kubelet's."""

    def __init__(self, what: str, volume: str, problem: str, *, reason: str = FAILED_MOUNT) -> None:
        """`what` is the kubelet's phrase, such as `MountVolume.SetUp failed`."""
        super().__init__(f'{what} for volume "{volume}" : {problem}')
        self.reason = reason
