"""Why a container does not run, in the words that the API shows (ContainerStateWaiting.reason)."""

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
    """A container could not be started. `reason` is one of this module's. `container` its name.

    `until_ns` says until when it waits (nanoseconds since the epoch) when the reason is a back-off.
    """

    def __init__(self, container: str, reason: str, message: str, *, until_ns: int | None = None) -> None:
        super().__init__(message)
        self.container = container
        self.reason = reason
        self.until_ns = until_ns
