"""What is wrong with an object: faults with field paths, in the API server's words, raised together as one error."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from podwright.errors import InvalidArgument


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. `path` is a field path such as `spec.containers[0].image`, or empty for the whole document.

    `line` counts from 1, and is 0 if unknown. `hint` says what to write instead.
    """

    path: str
    message: str
    hint: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{where}{what}" + (f" ({self.hint})" if self.hint else "")


class ManifestError(InvalidArgument):
    """A document cannot be used as it stands."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def invalid(path: str, value: object, message: str, *, hint: str = "") -> Problem:
    """The value has a form that is not allowed."""
    return Problem(path=path, message=f"Invalid value: {_shown(value)}: {message}", hint=hint)


def required(path: str, message: str = "", *, hint: str = "") -> Problem:
    """The field has no value and needs one."""
    return Problem(path=path, message="Required value" + (f": {message}" if message else ""), hint=hint)


def duplicate(path: str, value: object) -> Problem:
    """Another entry has the value already."""
    return Problem(path=path, message=f"Duplicate value: {_shown(value)}")


def forbidden(path: str, message: str) -> Problem:
    """The field must not be set here."""
    return Problem(path=path, message=f"Forbidden: {message}")


def not_found(path: str, value: object) -> Problem:
    """The value names nothing."""
    return Problem(path=path, message=f"Not found: {_shown(value)}")


def unsupported(path: str, value: object, supported: Iterable[str]) -> Problem:
    """The value is not one of those that there are."""
    values = ", ".join(_shown(item) for item in sorted(supported))
    return Problem(path=path, message=f"Unsupported value: {_shown(value)}: supported values: {values}")


def too_long(path: str, limit: int) -> Problem:
    """The value has more bytes than are allowed."""
    return Problem(path=path, message=f"Too long: may not be more than {limit} bytes")


def too_many(path: str, count: int, limit: int) -> Problem:
    """The list has more items than are allowed."""
    return Problem(path=path, message=f"Too many: {count}: must have at most {limit} items")


def _shown(value: object) -> str:
    """As Go prints it: text in quotes, numbers and booleans plain."""
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
