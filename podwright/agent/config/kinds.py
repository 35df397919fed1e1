"""The kinds of values in the configuration: how each is read from a file, written, and given by a flag.

In memory a duration is a whole number of nanoseconds, a quantity is its text, a list is a tuple, and None means not
set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from podwright.agent.config import flag_syntax
from podwright.agent.config.flag_syntax import FlagSyntax
from podwright.agent.config.go_duration import format_duration, parse_duration
from podwright.agent.config.reading import Reading
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse_nano

Decoder = Callable[[Any, str, Reading], Any]


def _as_it_is(value: Any) -> Any:
    return value


class ValueKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind.

    `zero` is Go's zero value: a field that is not optional and has it counts as not set. `decode` converts a value of
    JSON. For another kind it notes a fault and returns `zero`. `shown_as_zero` marks Go structs, which JSON shows even
    if they are zero. `bare` is the value of a flag without one. `limits` are those of a number. `members` are the
    fields of the objects in a list.
    """

    name: str
    zero: Any
    decode: Decoder
    encode: Callable[[Any], Any] = _as_it_is
    flag: FlagSyntax = flag_syntax.text
    shown_as_zero: bool = False
    bare: str | None = None
    limits: tuple[int, int] | None = None
    members: Mapping[str, ValueKind] = msgspec.field(default_factory=dict)

    def check_limits(self, value: Any) -> Any:
        """The value. Raises InvalidArgument if it is out of range."""
        if self.limits and not self.limits[0] <= value <= self.limits[1]:
            raise InvalidArgument(f"{value} is not from {self.limits[0]} to {self.limits[1]}")
        return value


def _scalar(expected: str, zero: Any, *types: type) -> Decoder:
    def decode(raw: Any, path: str, reading: Reading) -> Any:
        if isinstance(raw, types) and (bool in types or not isinstance(raw, bool)):
            return raw
        reading.wrong_kind(path, expected, raw)
        return zero

    return decode


def _whole(low: int, high: int) -> Decoder:
    def decode(raw: Any, path: str, reading: Reading) -> int:
        number = int(raw) if isinstance(raw, float) and raw.is_integer() else raw
        if isinstance(number, int) and not isinstance(number, bool) and low <= number <= high:
            return number
        reading.wrong_kind(path, f"a whole number from {low} to {high}", raw)
        return 0

    return decode


def _parsed(expected: str, zero: Any, parse: Callable[[str], Any]) -> Decoder:
    def decode(raw: Any, path: str, reading: Reading) -> Any:
        if not isinstance(raw, str):
            reading.wrong_kind(path, expected, raw)
            return zero
        try:
            return parse(raw)
        except InvalidArgument as failure:
            reading.faults.append(f"{path}: {failure}")
            return zero

    return decode


def _list_of(item: Decoder) -> Decoder:
    def decode(raw: Any, path: str, reading: Reading) -> Any:
        if not isinstance(raw, list):
            reading.wrong_kind(path, "a list", raw)
            return None
        return tuple(item(entry, f"{path}[{index}]", reading) for index, entry in enumerate(raw))

    return decode


def _map_of(item: Decoder, zero: Any) -> Decoder:
    """A decoder of maps. A null entry gets Go's zero value, or in a drop-in removes the entry."""

    def decode(raw: Any, path: str, reading: Reading) -> Any:
        if not isinstance(raw, dict):
            reading.wrong_kind(path, "a mapping", raw)
            return None
        given = {key: entry for key, entry in raw.items() if entry is not None}
        return dict.fromkeys(raw, zero) | {key: item(entry, f"{path}[{key}]", reading) for key, entry in given.items()}

    return decode


def _record(members: Mapping[str, ValueKind]) -> Decoder:
    def decode(raw: Any, path: str, reading: Reading) -> dict[str, Any]:
        if not isinstance(raw, dict):
            reading.wrong_kind(path, "a mapping of fields", raw)
            return {}
        for key in sorted(raw.keys() - members.keys()):
            reading.unknown(f"{path}.{key}", key, members)
        given = {key: raw[key] for key in members if raw.get(key) is not None}
        return {key: members[key].decode(value, f"{path}.{key}", reading) for key, value in given.items()}

    return decode


def _whole_kind(low: int, high: int) -> ValueKind:
    return ValueKind(
        name="number", zero=0, decode=_whole(low, high), flag=flag_syntax.number, limits=(low, high), encode=int
    )


def _list_kind(name: str, item: Decoder, flag: FlagSyntax, encode: Callable[[Any], Any] = list) -> ValueKind:
    return ValueKind(name=name, zero=None, decode=_list_of(item), flag=flag, encode=encode)


def _map_kind(name: str, item: Decoder, zero: Any, flag: FlagSyntax) -> ValueKind:
    return ValueKind(name=name, zero=None, decode=_map_of(item, zero), flag=flag, encode=dict)


def _records_kind(name: str, flag: FlagSyntax = flag_syntax.text, **members: ValueKind) -> ValueKind:
    def encode(entries: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        return [{key: members[key].encode(value) for key, value in entry.items()} for entry in entries]

    return replace(_list_kind(name, _record(members), flag, encode), members=members)


def _quantity_text(text: str) -> str:
    parse_nano(text)
    return text


def _quantity(raw: Any, path: str, reading: Reading) -> str:
    text = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    decoded: str = _parsed("a quantity", "0", _quantity_text)(text, path, reading)
    return decoded


def _text_or_nanoseconds(raw: Any, path: str, reading: Reading) -> int:
    """The duration. logging.flushFrequency was a number of nanoseconds once, and may still be."""
    kind = INT64 if isinstance(raw, int) and not isinstance(raw, bool) else DURATION
    decoded: int = kind.decode(raw, path, reading)
    return decoded


_TEXT = _scalar("a string", "", str)
TEXT = ValueKind(name="text", zero="", decode=_TEXT)
BOOLEAN = ValueKind(
    name="boolean", zero=False, decode=_scalar("a boolean", False, bool), flag=flag_syntax.boolean, bare="true"
)
INT32 = _whole_kind(-(1 << 31), (1 << 31) - 1)
UINT32 = _whole_kind(0, (1 << 32) - 1)
INT64 = _whole_kind(-(1 << 63), (1 << 63) - 1)
FLOAT = ValueKind(name="number", zero=0.0, decode=_scalar("a number", 0.0, int, float))
DURATION = ValueKind(
    name="duration",
    zero=0,
    decode=_parsed("a duration such as 1m30s", 0, parse_duration),
    encode=format_duration,
    flag=flag_syntax.duration,
    shown_as_zero=True,
)
DURATION_OR_NANOSECONDS = replace(DURATION, decode=_text_or_nanoseconds)
QUANTITY = ValueKind(name="quantity", zero="0", decode=_quantity, flag=flag_syntax.quantity, shown_as_zero=True)
ADDRESS = replace(TEXT, name="address", flag=flag_syntax.address)
VERSION = replace(TEXT, name="true|false|raw", bare="true")
TEXTS = _list_kind("list", _TEXT, flag_syntax.listed)
NUMBERS = _list_kind("list of numbers", INT32.decode, flag_syntax.listed)
TEXT_MAP = _map_kind("key=value,...", _TEXT, "", flag_syntax.mapping)
SINGLE_PAIRS = _map_kind("key=value", _TEXT, "", flag_syntax.single_pair)
THRESHOLDS = _map_kind("signal<value,...", _TEXT, "", flag_syntax.thresholds)
LABELS = _map_kind("key=value,...", _TEXT, "", flag_syntax.labels)
GATES = _map_kind("Gate=true|false,...", BOOLEAN.decode, False, flag_syntax.gates)
HEADERS = replace(
    _map_kind("name:value,...", TEXTS.decode, (), flag_syntax.headers),
    encode=lambda headers: {name: list(values) for name, values in headers.items()},
)
QUANTITY_MAP = _map_kind("key=quantity,...", _quantity, "0", flag_syntax.mapping)
VERBOSITIES = _records_kind("pattern=N,...", flag_syntax.verbosities, filePattern=TEXT, verbosity=UINT32)
TAINTS = _records_kind("key=value:Effect,...", flag_syntax.taints, key=TEXT, value=TEXT, effect=TEXT, timeAdded=TEXT)
RESERVATIONS = _records_kind("node:type=size,...", flag_syntax.reservations, numaNode=INT32, limits=QUANTITY_MAP)
GRACE_BY_PRIORITY = _records_kind("list", priority=INT32, shutdownGracePeriodSeconds=INT64)
