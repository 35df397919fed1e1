"""Our error tree <-> gRPC status codes. The only place that knows both."""

from __future__ import annotations

import grpc

from podwright import errors

CODES: dict[type[errors.PodwrightError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Internal: grpc.StatusCode.INTERNAL,
    errors.Unknown: grpc.StatusCode.UNKNOWN,
}
_GO_SPELLINGS = {"OK": "OK", "CANCELLED": "Canceled"}
_CLASSES = {code: cls for cls, code in CODES.items()}


def code_of(error: errors.PodwrightError) -> grpc.StatusCode:
    """The gRPC code of an error: that of the nearest class in the tree, UNKNOWN for `RuntimeFailed`."""
    return next((CODES[cls] for cls in type(error).__mro__ if cls in CODES), grpc.StatusCode.UNKNOWN)


def error_from(failure: grpc.aio.AioRpcError) -> errors.PodwrightError:
    """A failed call as an error of our tree. Codes that we never raise ourselves become `Unknown`."""
    cls = _CLASSES.get(failure.code(), errors.Unknown)
    return cls(failure.details() or failure.code().name)


def shown_as_in_go(error: errors.PodwrightError) -> str:
    """The error of a call as Go's gRPC library writes it, which clients of a kubelet read."""
    return rpc_error(code_of(error).name, str(error))


def rpc_error(code: str, details: str) -> str:
    """A failed call as Go's gRPC library writes it. `code` is gRPC's name."""
    return f"rpc error: code = {go_name(code)} desc = {details}"


def go_name(code: str) -> str:
    """`DeadlineExceeded` for `DEADLINE_EXCEEDED`: gRPC's names as Go's library spells them."""
    return _GO_SPELLINGS.get(code) or code.title().replace("_", "")
