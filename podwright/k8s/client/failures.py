"""What an API server's failures are in `podwright.errors`. Pure: an answer to an exception.

The server's `reason` decides, and its HTTP code where there is no reason, as with proxies.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from podwright.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PodwrightError,
    Unavailable,
    Unimplemented,
)
from podwright.k8s.codec import decode
from podwright.k8s.objects import Status, StatusCause

SHOWN_BYTES = 300  # of a body that is no Status
LONGEST_RETRY_S = 300.0  # a server that asks us to wait for longer is asked again all the same


class ApiFailure(PodwrightError):
    """The API server refused, or could not do it.

    `code` is HTTP's, `reason` the API's word for it (empty when the answer had none), `causes` what is wrong with
    which field, `retry_after_s` how long the server asks us to wait (0: it does not say), at most LONGEST_RETRY_S.
    """

    HINT: ClassVar[str] = ""

    def __init__(self, message: str, *, status: Status, retry_after_s: float = 0.0) -> None:
        super().__init__(message, hint=self.HINT)
        self.status = status
        self.code = status.code
        self.reason = status.reason
        asked_s = retry_after_s or (status.details.retry_after_seconds if status.details else 0)
        self.retry_after_s = float(min(max(asked_s, 0), LONGEST_RETRY_S))

    @property
    def causes(self) -> tuple[StatusCause, ...]:
        """The parts of the failure, by field."""
        return self.status.details.causes if self.status.details else ()


class ApiNotFound(ApiFailure, NotFound):
    """There is no such object, or no such resource."""


class ApiAlreadyExists(ApiFailure, AlreadyExists):
    """An object of this name is there."""


class Conflict(ApiFailure, FailedPrecondition):
    """The object has changed since it was read, a precondition is not met, or another manager owns a field."""


class Gone(ApiFailure, FailedPrecondition):
    """The resource version or the list's token is too old (reasons Gone, Expired): list again."""


class Invalid(ApiFailure, InvalidArgument):
    """The server rejects the object or request (reasons Invalid, BadRequest and similar)."""


class Unauthorized(ApiFailure, PermissionDenied):
    """The server does not know who we are."""

    HINT = "the client certificate or token has expired or is of another cluster"


class Forbidden(ApiFailure, PermissionDenied):
    """We may not do this."""


class TooManyRequests(ApiFailure, Unavailable):
    """The server limits its load. See `retry_after_s`."""


class Unsupported(ApiFailure, Unimplemented):
    """The server has no such method, or not for this content."""


class ServerFailed(ApiFailure, Unavailable):
    """The server, or a proxy before it, failed. The same request may succeed later."""


class Unreachable(Unavailable):
    """There is no connection, or it broke: whether a write took place is not known."""


class Renewed(Unreachable):
    """A watch was cut since the client has a newer certificate. It goes on at once, on a new connection."""


class Silent(Unreachable):
    """Nothing came on a watch for too long: the server is hung, or waits for a version that never comes."""


class Garbled(Unavailable):
    """An answer that is not what the API promises, as of a proxy's login page or a body that was cut off."""


_BY_REASON: dict[str, type[ApiFailure]] = {
    "NotFound": ApiNotFound,
    "AlreadyExists": ApiAlreadyExists,
    "Conflict": Conflict,
    "Gone": Gone,
    "Expired": Gone,
    "Invalid": Invalid,
    "BadRequest": Invalid,
    "RequestEntityTooLarge": Invalid,
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "TooManyRequests": TooManyRequests,
    "MethodNotAllowed": Unsupported,
    "NotAcceptable": Unsupported,
    "UnsupportedMediaType": Unsupported,
}
_BY_CODE: dict[int, type[ApiFailure]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: ApiNotFound,
    405: Unsupported,
    406: Unsupported,
    409: Conflict,
    410: Gone,
    413: Invalid,
    415: Unsupported,
    422: Invalid,
    429: TooManyRequests,
}


def failure_of(status: Status, what: str, *, retry_after_s: float = 0.0) -> ApiFailure:
    """The exception for a Status. `what` was tried, such as `get pods default/web`."""
    cls = _BY_REASON.get(status.reason) or _BY_CODE.get(status.code, ServerFailed)
    text = status.message or status.reason or "no reason given"
    return cls(f"cannot {what}: {text} ({status.code})", status=status, retry_after_s=retry_after_s)


def read_failure(code: int, body: bytes, what: str, *, retry_after: str = "") -> ApiFailure:
    """The exception for an answer with an HTTP code of 400 and more. The body may be anything."""
    try:
        status = decode(body, Status)
    except InvalidArgument:
        status = Status()
    if status.status != "Failure":
        shown = body[:SHOWN_BYTES].decode(errors="replace").strip()
        status = Status(status="Failure", code=code, message=shown or f"HTTP {code} without a body")
    elif not status.code:
        status = replace(status, code=code)
    return failure_of(status, what, retry_after_s=_seconds(retry_after))


def too_large_version(failure: BaseException) -> bool:
    """Whether the server has not seen the resource version yet: it is behind, or its data was restored."""
    return isinstance(failure, ApiFailure) and any(
        cause.reason == "ResourceVersionTooLarge" for cause in failure.causes
    )


def _seconds(text: str) -> float:
    """Retry-After in seconds. Its form as a date is not used by API servers."""
    return float(text) if text.isdecimal() else 0.0
