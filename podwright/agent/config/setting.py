"""One setting: a field of KubeletConfiguration, a flag, or both."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.agent.config.kinds import ValueKind
from podwright.agent.config.reading import Reading


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the dotted path of a field, or `--name` for a setting that is only a flag.

    `default` counts if the setting is not set. An `optional` field (a pointer in Go) is not set if it is absent, any
    other also if it is zero. A relative `path` is relative to its file. `shown` fields are shown even if they are
    zero. `honoured` says whether the agent uses it. `ours` marks settings that a kubelet does not have.
    """

    key: str
    kind: ValueKind
    default: Any
    flag: str = ""
    optional: bool = False
    path: bool = False
    shown: bool = False
    honoured: bool = False
    ours: bool = False

    @property
    def is_field(self) -> bool:
        """Whether a file can set it."""
        return not self.key.startswith("--")

    def is_set(self, value: Any) -> bool:
        """Whether Go's defaulting leaves the value as it is."""
        return value is not None if self.optional else value != self.kind.zero

    def is_shown(self, value: Any) -> bool:
        """Whether Go's JSON encoder writes the value (`omitempty`)."""
        if self.optional or self.kind.zero is None:  # a pointer, a list or a map
            return value is not None and value not in ((), {})
        return self.shown or self.kind.shown_as_zero or value != self.kind.zero


def field(
    key: str,
    kind: ValueKind,
    default: Any = None,
    *,
    flag: str = "",
    optional: bool = False,
    path: bool = False,
    shown: bool = False,
    honoured: bool = False,
) -> Setting:
    """A field of KubeletConfiguration. `default` is written as in a file."""
    value = kind.decode(default, key, Reading()) if default is not None else None if optional else kind.zero
    return Setting(
        key=key,
        kind=kind,
        default=value,
        flag=flag,
        optional=optional,
        path=path,
        shown=shown,
        honoured=honoured,
    )


def flag(name: str, kind: ValueKind, default: Any = None, *, honoured: bool = False, ours: bool = False) -> Setting:
    """A setting that is only a flag."""
    value = kind.decode(default, name, Reading()) if default is not None else kind.zero
    return Setting(key=f"--{name}", kind=kind, default=value, flag=name, honoured=honoured, ours=ours)
