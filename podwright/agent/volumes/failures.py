"""Failures of volumes that callers report differently."""

from __future__ import annotations

from podwright.errors import FailedPrecondition, Unavailable

FAILED_MOUNT, FAILED_MAP = "FailedMount", "FailedMapVolume"


class NotProcessed(Unavailable):
    """The volume cannot be planned: its claim is not bound, or cannot be read.

    Callers that wait for the pod's volumes get it at once, because waiting does not help (the kubelet's "failed to
    process").
    """


class AttachLimitExceeded(FailedPrecondition):
    """A volume is not attached because the node has reached the driver's limit: the pod cannot run here."""


class StepFailed(Unavailable):
    """A step of a volume's setup has failed. `reason` is the reason of its event. The wording is the kubelet's."""

    def __init__(self, what: str, volume: str, problem: str, *, reason: str = FAILED_MOUNT) -> None:
        """`what` is the kubelet's phrase, such as `MountVolume.SetUp failed`."""
        super().__init__(f'{what} for volume "{volume}" : {problem}')
        self.reason = reason
