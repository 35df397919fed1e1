"""The server's failures as the API's Status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_TOO_LARGE = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}


class ApiError(Exception):
    """An answer of failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        causes: Sequence[dict[str, str]] = (),
        details: dict[str, Any] | None = None,
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        self._details = {**(details or {}), **({"causes": list(causes)} if causes else {})}

    def status(self) -> dict[str, Any]:
        """The Status object."""
        details = dict(self._details)
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }


def not_found(resource: str, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details={"name": name, "kind": resource})


def no_resource() -> ApiError:
    """There is no such path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def exists(resource: str, name: str) -> ApiError:
    """The name is taken."""
    details = {"name": name, "kind": resource}
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', details=details)


def conflict(resource: str, name: str, why: str) -> ApiError:
    """The object is not what the caller takes it for."""
    text = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", text, details={"name": name, "kind": resource})


def changed(resource: str, name: str) -> ApiError:
    """Another version was stored meanwhile."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(kind: str, name: str, field: str, message: str) -> ApiError:
    """A field that must not be so."""
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": field}]
    text = f'{kind} "{name}" is invalid: {field}: {message}'
    return ApiError(422, "Invalid", text, causes=causes, details={"name": name, "kind": kind})


def expired(version: int, oldest: int) -> ApiError:
    """The history before `oldest` is gone."""
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")


def too_large(version: int, current: int) -> ApiError:
    """The future."""
    text = f"Timeout: Too large resource version: {version}, current: {current}"
    return ApiError(504, "Timeout", text, causes=[_TOO_LARGE], retry_after_s=1)
