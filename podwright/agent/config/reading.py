"""The faults of a file or a command line: collected with paths, raised as one error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.errors import InvalidArgument
from podwright.spelling import nearest

_KINDS = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}


class Reading(msgspec.Struct):
    """The faults of one file.

    `faults` are values that a kubelet cannot read. `strict` are unknown fields and repeated keys: errors if the file
    is read strictly, else warnings.
    """

    faults: list[str] = msgspec.field(default_factory=list)
    strict: list[str] = msgspec.field(default_factory=list)

    def wrong_kind(self, path: str, expected: str, raw: object) -> None:
        """Note a value of another kind than `expected`."""
        quoting = expected == "a string" and isinstance(raw, bool | int | float)
        hint = f'; quote it: "{str(raw).lower() if isinstance(raw, bool) else raw}"' if quoting else ""
        self.faults.append(f"{path}: expected {expected}, got {shown(raw)}{hint}")

    def unknown(self, path: str, key: str, known: Iterable[str]) -> None:
        """Note a field that does not exist."""
        near = nearest(key, known)
        self.strict.append(f"{path}: no such field" + (f", did you mean {near}?" if near else ""))


class ConfigError(InvalidArgument):
    """The configuration is invalid. `problems` has all problems."""

    def __init__(self, source: str, problems: Iterable[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(f"{source}: {'; '.join(self.problems)}", hint=hint)


def shown(raw: Any) -> str:
    """A value in a message: the kind of a long value, or a short value itself."""
    if isinstance(raw, str | bool | int | float) and len(str(raw)) <= 60:
        return repr(raw) if isinstance(raw, str) else str(raw).lower()
    return _KINDS.get(type(raw), "nothing" if raw is None else type(raw).__name__)
