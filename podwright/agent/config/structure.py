"""How an attribute of AgentConfig names the setting that it comes from.

`sync_frequency_s: float = seconds("syncFrequency")` declares an attribute, where its value comes from, how it is
converted, and its default: what a kubelet takes for a file that does not name the field.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from podwright.agent.config import gates
from podwright.agent.config.defaults import complete
from podwright.agent.config.go_duration import SECOND_NS
from podwright.agent.config.values import Values
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse_nano, whole

Section = TypeVar("Section")

_SOURCE = "source"
_SECTION = "section"
_DEFAULTS = complete({}, gates.enabled({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSource:
    """The settings that an attribute comes from, and the function of their values that gives it."""

    keys: tuple[str, ...]
    convert: Callable[..., Any]

    def read(self, values: Values) -> Any:
        """The attribute's value. Raises InvalidArgument that names the setting."""
        try:
            return self.convert(*(values[key] for key in self.keys))
        except InvalidArgument as failure:
            raise InvalidArgument(f"{self.keys[0]}: {failure.message}", hint=failure.hint) from failure


def source(*keys: str, convert: Callable[..., Any]) -> Any:
    """An attribute that `convert` makes of the settings' values."""
    origin = SettingSource(keys=keys, convert=convert)
    return dataclasses.field(default_factory=lambda: origin.read(_DEFAULTS), metadata={_SOURCE: origin})


def section(kind: type[Section]) -> Section:
    """An attribute that is a dataclass of attributes."""
    attribute: Section = dataclasses.field(default_factory=kind, metadata={_SECTION: kind})
    return attribute


def build(kind: type[Section], values: Values) -> Section:
    """An instance whose attributes come from complete `values`. Raises InvalidArgument."""
    attributes: dict[str, Any] = {}
    for attribute in dataclasses.fields(kind):  # type: ignore[arg-type] # every section is a dataclass
        nested = attribute.metadata.get(_SECTION)
        attributes[attribute.name] = build(nested, values) if nested else attribute.metadata[_SOURCE].read(values)
    return kind(**attributes)


def sources(kind: type[object]) -> Iterator[SettingSource]:
    """The sources of all attributes of a section and of the sections in it."""
    for attribute in dataclasses.fields(kind):  # type: ignore[arg-type] # every section is a dataclass
        nested = attribute.metadata.get(_SECTION)
        if nested:
            yield from sources(nested)
        else:
            yield attribute.metadata[_SOURCE]


def plain(key: str) -> Any:
    """The value as it is: a text, a number, a boolean, or None."""
    return source(key, convert=lambda value: value)


def either(*keys: str) -> Any:
    """True when one of them is."""
    return source(*keys, convert=lambda *values: any(values))


def seconds(key: str) -> Any:
    """A duration in seconds, or None."""
    return source(key, convert=lambda value: None if value is None else value / SECOND_NS)


def texts(key: str) -> Any:
    """A tuple, empty when it is not set."""
    return source(key, convert=lambda value: tuple(value or ()))


def mapping(key: str) -> Any:
    """A read-only mapping, empty when it is not set."""
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
