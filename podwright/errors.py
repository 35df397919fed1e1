"""The error tree of Podwright.

Every failure that a caller may need to distinguish has a class here. `podwright.cri.status` maps the classes to gRPC
codes and back, and the CLI maps them to exit codes. A message names what failed and on which object. The hint says
what to do about it.
"""

from __future__ import annotations

import os


class PodwrightError(Exception):
    """Base of the tree. Raise one of its subclasses.

    `message` says what failed and on which object. `hint`, if any, says what the reader can do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidArgument(PodwrightError):
    """The request is contradictory or incomplete. A retry cannot help."""


class NotFound(PodwrightError):
    """The named object does not exist."""


class AlreadyExists(PodwrightError):
    """Another object holds the name."""


class FailedPrecondition(PodwrightError):
    """The object, the host or the configuration is in the wrong state for the request."""


class ResourceExhausted(PodwrightError):
    """A limit was reached, such as disk space, addresses or pending tokens."""


class Unavailable(PodwrightError):
    """Something required does not answer now. The same request may succeed later."""


class DeadlineExceeded(PodwrightError):
    """A deadline passed before the work was finished."""


class Unimplemented(PodwrightError):
    """This build or this host does not support it. The kubelet falls back to something else."""


class PermissionDenied(PodwrightError):
    """Credentials were rejected."""


class Internal(PodwrightError):
    """A bug or a broken host: something happened that no request should be able to cause."""


class RuntimeFailed(PodwrightError):
    """The OCI runtime or its monitor failed or rejected a call. The message includes its own text."""


class Unknown(PodwrightError):
    """A failure whose text starts with one of CRI's sentinels, such as `RegistryUnavailable`.

    The kubelet strips the gRPC code UNKNOWN and reads the bare message, so sentinels use that code.
    """


def reason(failure: BaseException, *, path: str = "") -> str:
    """Why something failed, for a message: of an OSError without its number. A file other than `path` is named."""
    if not isinstance(failure, OSError) or not failure.strerror:
        return str(failure) or type(failure).__name__
    file = os.fsdecode(failure.filename) if isinstance(failure.filename, str | bytes | os.PathLike) else path
    return failure.strerror if file == path else f"{failure.strerror}: {file}"
