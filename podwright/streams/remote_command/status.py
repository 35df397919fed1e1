"""The outcome of a command on the error stream: Kubernetes' Status as JSON since v4, plain text before."""

from __future__ import annotations

import contextlib

import msgspec

from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import Version

STATUS_LIMIT_BYTES = 64 * 1024
_SUCCESS = "Success"
_FAILURE = "Failure"
_NON_ZERO = "NonZeroExitCode"
_INTERNAL = "InternalError"
_EXIT_CODE = "ExitCode"
_INTERNAL_PREFIX = "Internal error occurred: "


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a command: its exit code, or in `failure` why it could not run or be followed."""

    exit_code: int = 0
    failure: str = ""


class _Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    causes: tuple[_Cause, ...] = ()


class _Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The used fields of metav1.Status."""

    status: str = ""
    message: str = ""
    reason: str = ""
    details: _Details | None = None
    code: int = 0


def pack_outcome(outcome: Outcome, version: Version) -> bytes:
    """The server's data for the error stream. Before v4 empty for success."""
    status = _status_of(outcome)
    if version.has_json_status:
        return msgspec.json.encode(status)
    return status.message.encode()


def parse_outcome(written: bytes, version: Version) -> Outcome:
    """The outcome in a client's data from the error stream. Raises ProtocolError for an invalid status.

    Before v4, a failed command and one that never ran look the same.
    """
    if not version.has_json_status:
        return Outcome(exit_code=1 if written else 0, failure=written.decode(errors="replace"))
    try:
        status = msgspec.json.decode(written, type=_Status)
    except msgspec.DecodeError as failure:
        raise ProtocolError(f"the error stream ended without a status: {failure}") from failure
    if status.status == _SUCCESS:
        return Outcome()
    if status.reason == _NON_ZERO:
        return Outcome(exit_code=_exit_code(status))
    message = status.message.removeprefix(_INTERNAL_PREFIX)
    return Outcome(exit_code=1, failure=message or status.reason or "the runtime does not say why")


def _status_of(outcome: Outcome) -> _Status:
    if outcome.failure:
        return _Status(status=_FAILURE, message=f"{_INTERNAL_PREFIX}{outcome.failure}", reason=_INTERNAL, code=500)
    if outcome.exit_code == 0:
        return _Status(status=_SUCCESS)
    return _Status(
        status=_FAILURE,
        message=f"command terminated with non-zero exit code: exit status {outcome.exit_code}",
        reason=_NON_ZERO,
        details=_Details(causes=(_Cause(reason=_EXIT_CODE, message=str(outcome.exit_code)),)),
    )


def _exit_code(status: _Status) -> int:
    causes = status.details.causes if status.details else ()
    for cause in causes:
        if cause.reason == _EXIT_CODE:
            with contextlib.suppress(ValueError):
                return int(cause.message)
    raise ProtocolError("the status of a failed command has no exit code")
