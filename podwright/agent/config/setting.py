"""One thing that can be configured: a field of KubeletConfiguration, a flag, or both."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.agent.config.kinds import ValueKind
from podwright.agent.config.reading import Reading


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the dotted path of a field, or `--name` for what only a flag can set.

    `default` counts when the setting is not set. An `optional` field (a pointer in Go) is not set when it is absent.
    Any other also when it is zero. A relative `path` is relative to the file that it stands in. `shown` fields are
    shown also when they are zero. `honoured` tells whether the agent acts on it. `ours` marks what a kubelet does not
    have.
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
    """A flag that no field stands for."""
    value = kind.decode(default, name, Reading()) if default is not None else kind.zero
    return Setting(key=f"--{name}", kind=kind, default=value, flag=name, honoured=honoured, ours=ours)
