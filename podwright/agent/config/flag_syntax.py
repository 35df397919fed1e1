"""The syntax of values in the kubelet's flags: pflag's own types and those of k8s.io/component-base/cli/flag.

Every function takes the text of one occurrence, the value so far, and whether this is the flag's first occurrence: a
first map or list replaces that of a file, further ones add to it. All raise InvalidArgument.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from podwright.agent.config.go_duration import parse_duration
from podwright.errors import InvalidArgument
from podwright.k8s.names import label_value_faults, qualified_name_faults
from podwright.k8s.quantity import parse_nano

FlagSyntax = Callable[[str, Any, bool], Any]

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_BOOLEANS = {**dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)}
_BOOLEANS |= dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)
_NUMBER = re.compile(r"[+-]?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]*|[1-9][0-9_]*)")
_DIGITS_LIMIT = 70


def parse_boolean(text: str) -> bool:
    """Go's strconv.ParseBool."""
    if text not in _BOOLEANS:
        raise InvalidArgument(f"{text!r} is not a boolean", hint="true or false")
    return _BOOLEANS[text]


def parse_number(text: str) -> int:
    """Go's strconv.ParseInt with base 0: decimal, 0x, 0o, 0b, and a leading 0 for octal."""
    if len(text) > _DIGITS_LIMIT or not _NUMBER.fullmatch(text):
        raise InvalidArgument(f"{text!r} is not a whole number")
    try:
        return int(re.sub(r"^([+-]?)0(?=[0-7_])", r"\g<1>0o", text), 0)
    except ValueError as failure:
        raise InvalidArgument(f"{text!r} is not a whole number") from failure


def text(value: str, _current: str, _first: bool) -> str:
    """The value as it is."""
    return value


def boolean(value: str, _current: bool, _first: bool) -> bool:
    """true or false."""
    return parse_boolean(value)


def number(value: str, _current: int, _first: bool) -> int:
    """A whole number. Its range is checked by the kind."""
    return parse_number(value)


def duration(value: str, _current: int, _first: bool) -> int:
    """A Go duration, as nanoseconds."""
    return parse_duration(value)


def quantity(value: str, _current: str, _first: bool) -> str:
    """A quantity, kept as text."""
    parse_nano(value)
    return value


def address(value: str, current: str, _first: bool) -> str:
    """An IP address. Empty changes nothing."""
    if not value:
        return current
    try:
        ipaddress.ip_address(value)
    except ValueError as failure:
        raise InvalidArgument(f"{value!r} is not an IP address") from failure
    return value


def listed(value: str, current: tuple[str, ...] | None, first: bool) -> tuple[str, ...]:
    """Entries separated by commas, quoted as in CSV."""
    before = () if first else current or ()
    try:
        return (*before, *(next(csv.reader([value], strict=True)) if value else ()))
    except csv.Error as failure:
        raise InvalidArgument(f"{value!r} is not a list: {failure}") from failure


def _pairs(value: str, separator: str) -> list[tuple[str, str]]:
    pairs = []
    for entry in filter(None, value.split(",")):
        key, found, rest = entry.partition(separator)
        if not found:
            raise InvalidArgument(f"{entry!r} is not KEY{separator}VALUE")
        pairs.append((key.strip(), rest.strip()))
    return pairs


def mapping(value: str, current: dict[str, str] | None, first: bool) -> dict[str, str]:
    """`a=1,b=2`."""
    return ({} if first else current or {}) | dict(_pairs(value, "="))


def thresholds(value: str, current: dict[str, str] | None, first: bool) -> dict[str, str]:
    """`memory.available<100Mi,nodefs.available<10%`."""
    return ({} if first else current or {}) | dict(_pairs(value, "<"))


def single_pair(value: str, current: dict[str, str] | None, first: bool) -> dict[str, str]:
    """One `key=value` each time. Commas belong to the value."""
    key, found, rest = value.partition("=")
    if not found:
        raise InvalidArgument(f"{value!r} is not KEY=VALUE")
    return ({} if first else current or {}) | {key.strip(): rest.strip()}


def labels(value: str, current: dict[str, str] | None, _first: bool) -> dict[str, str]:
    """`a=1,b`: a key alone has an empty value."""
    entries = [entry.partition("=") for entry in value.split(",") if entry]
    return (current or {}) | {key.strip(): rest.strip() for key, _, rest in entries}


def gates(value: str, current: dict[str, bool] | None, first: bool) -> dict[str, bool]:
    """`A=true,B=false`."""
    return ({} if first else current or {}) | {key: parse_boolean(word) for key, word in _pairs(value, "=")}


def headers(value: str, current: dict[str, tuple[str, ...]] | None, first: bool) -> dict[str, tuple[str, ...]]:
    """`a:hello,b:again`. A name may be repeated."""
    found = {} if first else dict(current or {})
    for key, word in _pairs(value, ":"):
        found[key] = (*found.get(key, ()), word)
    return found


def verbosities(value: str, current: tuple[dict[str, Any], ...] | None, _first: bool) -> tuple[dict[str, Any], ...]:
    """`pattern=N,...`, after those of the file (klog's --vmodule)."""
    found = list(current or ())
    for entry in filter(None, value.split(",")):
        pattern, _, level = entry.partition("=")
        if not pattern or not level.isascii() or not level.isdigit() or len(level) > 10 or int(level) >= 1 << 31:
            raise InvalidArgument(f"{entry!r} is not PATTERN=NUMBER")
        found.append({"filePattern": pattern, "verbosity": int(level)})
    return tuple(found)


def taints(value: str, _current: object, _first: bool) -> tuple[dict[str, Any], ...] | None:
    """`key=value:Effect,...`. Each occurrence replaces the one before it. `key:Effect-` adds nothing."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in value.split(",") if value else ():
        key, effect, taint = _taint(entry.removesuffix("-"))
        if entry.endswith("-"):
            continue
        if not effect:
            raise InvalidArgument(f"taint {entry!r} has no effect", hint="KEY=VALUE:EFFECT")
        if (key, effect) in found:
            raise InvalidArgument(f"taint {key}:{effect} is given twice")
        found[key, effect] = taint
    return tuple(found.values()) or None


def _taint(entry: str) -> tuple[str, str, dict[str, Any]]:
    pair, _, effect = entry.partition(":")
    key, _, value = pair.partition("=")
    if any(qualified_name_faults(key)) or any(label_value_faults(value)) or effect not in {"", *TAINT_EFFECTS}:
        effects = ", ".join(TAINT_EFFECTS)
        raise InvalidArgument(f"{entry!r} is not a taint", hint=f"KEY=VALUE:EFFECT, with EFFECT one of {effects}")
    return key, effect, {"key": key, "effect": effect} | ({"value": value} if value else {})


def reservations(value: str, current: tuple[dict[str, Any], ...] | None, first: bool) -> tuple[dict[str, Any], ...]:
    """`0:memory=1Gi,hugepages-2Mi=1Gi;1:memory=2Gi`. Empty changes nothing."""
    if not value:
        return current or ()
    found = [] if first else list(current or ())
    for entry in value.split(";"):
        node, colon, limits = entry.partition(":")
        pairs = dict(_pairs(limits, "="))
        if not colon or not pairs or not all(key == "memory" or key.startswith("hugepages-") for key in pairs):
            raise InvalidArgument(f"{entry!r} is not a reservation", hint="NODE:memory=SIZE[,hugepages-SIZE=SIZE...]")
        for size in pairs.values():
            parse_nano(size)
        found.append({"numaNode": parse_number(node), "limits": pairs})
    return tuple(found)
