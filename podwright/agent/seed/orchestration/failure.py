"""Why a container could not be started, in the kubelet's words."""

from __future__ import annotations

from podwright.errors import PodwrightError


class ContainerStartFailure(PodwrightError):
    """`reason` is what a container status would show: ErrImagePull, CreateContainerError, RunContainerError..."""

    def __init__(self, container: str, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"container {container}: {reason}: {message}", hint=hint)
        self.container = container
        self.reason = reason
        self.detail = message
