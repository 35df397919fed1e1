"""The one error tree of Podwright.

Every failure that a caller may have to tell from another is one of these classes; `podwright.cri.status` maps
them to gRPC codes (and back) at the edges, and the CLI maps them to exit codes. A message says what failed, on
which id, and the hint says what to do about it.
"""

from __future__ import annotations


class PodwrightError(Exception):
    """Base of the tree; raise one of its subclasses.

    `message` says what failed and on what; `hint`, if any, what the reader can do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidArgument(PodwrightError):
    """The request contradicts itself or misses a field; repeating it cannot help."""


class NotFound(PodwrightError):
    """The named object does not exist (any more)."""


class AlreadyExists(PodwrightError):
    """Another object holds the name."""


class FailedPrecondition(PodwrightError):
    """The object, the host or the configuration is not in the state that the request needs."""


class ResourceExhausted(PodwrightError):
    """A limit was reached: disk space, addresses, pending tokens."""


class Unavailable(PodwrightError):
    """Something that is needed does not answer now; the same request may succeed later."""


class DeadlineExceeded(PodwrightError):
    """A deadline passed before the work was done."""


class Unimplemented(PodwrightError):
    """This build or this host cannot do it; the kubelet falls back."""


class PermissionDenied(PodwrightError):
    """Credentials were refused."""


class Internal(PodwrightError):
    """A bug or a broken host: something happened that no request should be able to cause."""


class RuntimeFailed(PodwrightError):
    """The runtime below (an OCI runtime, its monitor) refused, or broke; the message has its own text."""


class Unknown(PodwrightError):
    """A failure whose text starts with one of CRI's sentinels (such as `RegistryUnavailable`).

    The kubelet strips the gRPC code UNKNOWN and reads the bare message, so sentinels travel under that code.
    """
