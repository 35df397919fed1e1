"""Lets an attribute of AgentConfig name the setting that it comes from.

`sync_frequency_s: float = seconds("syncFrequency")` declares an attribute, where its value comes from, its conversion,
and its default: the kubelet's value if the file does not have the field.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from podwright.agent.config import gates
from podwright.agent.config.defaults import complete
from podwright.agent.config.go_duration import SECOND_NS
from podwright.agent.config.values import Values
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse_nano, whole

Section = TypeVar("Section", bound=msgspec.Struct)

_DEFAULTS = complete({}, gates.enabled({}))


class SettingSource(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that an attribute comes from, and the function that computes it from their values."""

    keys: tuple[str, ...]
    convert: Callable[..., Any]

    def read(self, values: Values) -> Any:
        """The attribute's value. Raises InvalidArgument that names the setting."""
        try:
            return self.convert(*(values[key] for key in self.keys))
        except InvalidArgument as failure:
            raise InvalidArgument(f"{self.keys[0]}: {failure.message}", hint=failure.hint) from failure

    def __call__(self) -> Any:
        """The attribute's default."""
        return self.read(_DEFAULTS)


def source(*keys: str, convert: Callable[..., Any]) -> Any:
    """An attribute that `convert` computes from the settings' values."""
    return msgspec.field(default_factory=SettingSource(keys=keys, convert=convert))


def section(kind: type[Section]) -> Section:
    """An attribute that is a section: a struct of attributes."""
    return msgspec.field(default_factory=kind)


def build(kind: type[Section], values: Values) -> Section:
    """An instance whose attributes come from complete `values`. Raises InvalidArgument."""
    return kind(
        **{
            name: origin.read(values) if isinstance(origin, SettingSource) else build(origin, values)
            for name, origin in origins(kind).items()
        }
    )


def origins(kind: type[Section]) -> dict[str, SettingSource | type[msgspec.Struct]]:
    """The source of each attribute of a section: settings, or a section."""
    return {attribute.name: attribute.default_factory for attribute in msgspec.structs.fields(kind)}


def sources(kind: type[Section]) -> Iterator[SettingSource]:
    """The sources of all attributes of a section and of the sections in it."""
    for origin in origins(kind).values():
        if isinstance(origin, SettingSource):
            yield origin
        else:
            yield from sources(origin)


def plain(key: str) -> Any:
    """The unchanged value: a text, a number, a boolean, or None."""
    return source(key, convert=lambda value: value)


def either(*keys: str) -> Any:
    """True if one of the settings is."""
    return source(*keys, convert=lambda *values: any(values))


def seconds(key: str) -> Any:
    """A duration in seconds, or None."""
    return source(key, convert=lambda value: None if value is None else value / SECOND_NS)


def texts(key: str) -> Any:
    """A tuple, empty if not set."""
    return source(key, convert=lambda value: tuple(value or ()))


def mapping(key: str) -> Any:
    """A read-only mapping, empty if not set."""
    return source(key, convert=lambda value: MappingProxyType(dict(value or {})))


def size_bytes(key: str) -> Any:
    """A quantity in bytes, rounded up."""
    return source(key, convert=whole)


def nano_mapping(key: str) -> Any:
    """Quantities in billionths, by resource."""
    return source(key, convert=nano_quantities)


def nano_quantities(quantities: Mapping[str, str] | None) -> Mapping[str, int]:
    """Quantities in billionths, by resource. Raises InvalidArgument."""
    return MappingProxyType({name: parse_nano(text) for name, text in (quantities or {}).items()})


def addresses(text: str) -> tuple[str, ...]:
    """IP addresses of a list with commas. Raises InvalidArgument."""
    parts = tuple(part.strip() for part in text.split(",")) if text else ()
    for part in parts:
        try:
            ipaddress.ip_address(part)
        except ValueError as failure:
            raise InvalidArgument(f"{part!r} is not an IP address") from failure
    return parts
