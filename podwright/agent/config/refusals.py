"""The kubelet's messages about what it refuses, so that people and programs that search for them find them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from podwright.agent.config.go_duration import format_duration
from podwright.agent.config.settings import BY_KEY

UNSET = "<nil>"
# Flags that a kubelet no longer has, and still names.
_FORMER_FLAGS = {"iptablesDropBit": "iptables-drop-bit", "iptablesMasqueradeBit": "iptables-masquerade-bit"}


def invalid(text: str) -> str:
    """One problem of a KubeletConfiguration."""
    return f"invalid configuration: {text}"


def named(key: str) -> str:
    """How messages name a field: with its flag, if it has one."""
    flag = BY_KEY[key].flag or _FORMER_FLAGS.get(key)
    return f"{key} (--{flag})" if flag else key


def in_braces(duration_ns: int) -> str:
    """A duration as Go prints the struct around it."""
    return f"{{{format_duration(duration_ns)}}}"


def quoted(text: str) -> str:
    """Go's %q."""
    return json.dumps(text, ensure_ascii=False)


def quoted_list(texts: Iterable[str]) -> str:
    """Go's %q of a list."""
    return f"[{' '.join(map(quoted, texts))}]"


def either(texts: Iterable[str]) -> str:
    """`"a", "b" or "c"`."""
    *others, last = map(quoted, texts)
    return f"{', '.join(others)} or {last}"


def invalid_value(path: str, value: Any, why: str) -> str:
    """A problem of a section that Kubernetes' components share, such as `logging`."""
    return f"{path}: Invalid value: {quoted(value) if isinstance(value, str) else value}: {why}"


def forbidden(path: str, why: str) -> str:
    """A field that must not be set now."""
    return f"{path}: Forbidden: {why}"


def aggregated(problems: Iterable[str]) -> str:
    """Several problems as one text, each once (utilerrors.NewAggregate)."""
    different = list(dict.fromkeys(problems))
    return different[0] if len(different) == 1 else f"[{', '.join(different)}]"
