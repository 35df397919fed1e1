"""What goes wrong with volumes, as far as people are told about it in different ways."""

from __future__ import annotations

from podwright.errors import FailedPrecondition, Unavailable

FAILED_MOUNT, FAILED_MAP = "FailedMount", "FailedMapVolume"


class NotProcessed(Unavailable):
    """It cannot be known what the volume is to become: its claim is not bound, or cannot be read.

    Who waits for the pod's volumes is told at once, since waiting is of no use (the kubelet's "failed to process").
    """


class AttachLimitExceeded(FailedPrecondition):
    """A volume is one too many of its driver for this node, so that it is not attached: the pod cannot run here."""


class StepFailed(Unavailable):
    """A step of making a volume ready has failed. `reason` is that of its event, the wording the kubelet's."""

    def __init__(self, what: str, volume: str, problem: str, *, reason: str = FAILED_MOUNT) -> None:
        """`what` is the kubelet's phrase, such as `MountVolume.SetUp failed`."""
        super().__init__(f'{what} for volume "{volume}" : {problem}')
        self.reason = reason
