"""Why a container does not run: the reasons of ContainerStateWaiting."""

from __future__ import annotations

from podwright.errors import PodwrightError

CRASH_LOOP_BACK_OFF = "CrashLoopBackOff"
IMAGE_PULL_BACK_OFF = "ImagePullBackOff"
ERR_IMAGE_PULL = "ErrImagePull"
ERR_IMAGE_NEVER_PULL = "ErrImageNeverPull"
IMAGE_INSPECT_ERROR = "ImageInspectError"
INVALID_IMAGE_NAME = "InvalidImageName"
REGISTRY_UNAVAILABLE = "RegistryUnavailable"
SIGNATURE_VALIDATION_FAILED = "SignatureValidationFailed"
CREATE_CONTAINER_CONFIG_ERROR = "CreateContainerConfigError"
CREATE_CONTAINER_ERROR = "CreateContainerError"
RUN_CONTAINER_ERROR = "RunContainerError"
POST_START_HOOK_ERROR = "PostStartHookError"


class ContainerFailure(PodwrightError):
    """A container could not be started. `reason` is one of this module's, `container` the container's name.

    For a back-off `until_ns` is the end of the wait, in nanoseconds since the epoch.
    """

    def __init__(self, container: str, reason: str, message: str, *, until_ns: int | None = None) -> None:
        super().__init__(message)
        self.container = container
        self.reason = reason
        self.until_ns = until_ns
