"""gRPC status codes, which ttrpc uses too, to our errors and back."""

from __future__ import annotations

from podwright import errors

OK, UNKNOWN = 0, 2

CODES: dict[type[errors.PodwrightError], int] = {
    errors.Unknown: UNKNOWN,
    errors.InvalidArgument: 3,
    errors.DeadlineExceeded: 4,
    errors.NotFound: 5,
    errors.AlreadyExists: 6,
    errors.PermissionDenied: 7,
    errors.ResourceExhausted: 8,
    errors.FailedPrecondition: 9,
    errors.Unimplemented: 12,
    errors.Internal: 13,
    errors.Unavailable: 14,
}
_CLASSES = {code: cls for cls, code in CODES.items()}


def code_of(error: errors.PodwrightError) -> int:
    """The code of the nearest class in the tree that has one, else UNKNOWN."""
    return next((CODES[cls] for cls in type(error).__mro__ if cls in CODES), UNKNOWN)


def error_of(code: int, message: str) -> errors.PodwrightError:
    """The error that a status stands for. Codes that no class has become `Unknown`."""
    return _CLASSES.get(code, errors.Unknown)(message or f"status code {code} without a message")
