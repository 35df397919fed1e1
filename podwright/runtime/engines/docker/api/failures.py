"""What the Engine's HTTP status codes mean. Pure."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from podwright.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PodwrightError,
    RuntimeFailed,
    Unavailable,
    Unimplemented,
)

CLASSES: dict[int, type[PodwrightError]] = {
    HTTPStatus.BAD_REQUEST: InvalidArgument,
    HTTPStatus.UNAUTHORIZED: PermissionDenied,
    HTTPStatus.FORBIDDEN: PermissionDenied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: FailedPrecondition,
    HTTPStatus.NOT_IMPLEMENTED: Unimplemented,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
}
TEXT_LIMIT = 4096  # characters of the Engine's own words


def failure_of(status: int, body: bytes, what: str) -> PodwrightError:
    """The error for an answer. `what` names the call. The Engine's own words are in the message."""
    return CLASSES.get(status, RuntimeFailed)(f"Docker Engine: {what}: {message_of(body)[:TEXT_LIMIT]}")


def message_of(body: bytes) -> str:
    """The text of an error answer: JSON with a `message`, or plain text."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace").strip()
    text = document.get("message") if isinstance(document, dict) else None
    return text if isinstance(text, str) else body.decode(errors="replace").strip()
