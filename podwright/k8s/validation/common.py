"""Small checks that the others share."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping

from podwright.k8s.names import label_value_faults, port_faults, port_name_faults, qualified_name_faults
from podwright.k8s.objects.base import IntOrString
from podwright.k8s.problems import Problem, forbidden, invalid, required, unsupported

ID_MAX = 2**31 - 1
MODE_MAX = 0o777
PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def named(path: str, value: str, faults: Callable[[str], Iterable[str]], *, needed: bool = True) -> Iterator[Problem]:
    """A name that must have a form. An empty one is missing, or not required."""
    if value:
        yield from (invalid(path, value, fault) for fault in faults(value))
    elif needed:
        yield required(path)


def one_of(path: str, value: str, supported: Iterable[str], *, needed: bool = True) -> Iterator[Problem]:
    """A word out of a list."""
    if not value:
        if needed:
            yield required(path)
    elif value not in supported:
        yield unsupported(path, value, supported)


def labels(path: str, values: Mapping[str, str]) -> Iterator[Problem]:
    """Labels, and selectors that are maps."""
    for key, value in values.items():
        yield from (invalid(path, key, fault) for fault in qualified_name_faults(key))
        yield from (invalid(path, value, fault) for fault in label_value_faults(value))


def file_mode(path: str, mode: int | None) -> Iterator[Problem]:
    """Permission bits of a file."""
    if mode is not None and not 0 <= mode <= MODE_MAX:
        yield invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def identity(path: str, number: int | None) -> Iterator[Problem]:
    """A user's or group's number."""
    if number is not None and not 0 <= number <= ID_MAX:
        yield invalid(path, number, f"must be between 0 and {ID_MAX}, inclusive")


def non_negative(path: str, number: int) -> Iterator[Problem]:
    """Zero or more."""
    if number < 0:
        yield invalid(path, number, "must be greater than or equal to 0")


def port(path: str, value: IntOrString) -> Iterator[Problem]:
    """A port's number or name."""
    faults = port_faults(value) if isinstance(value, int) else port_name_faults(value)
    yield from (invalid(path, value, fault) for fault in faults)


def address(path: str, text: str) -> Iterator[Problem]:
    """An IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        yield invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def at_most_one(path: str, given: Iterable[str], kind: str) -> Iterator[Problem]:
    """Accept the first of several choices, and refuse the others."""
    _, *others = [*given] or [""]
    yield from (forbidden(f"{path}.{name}", f"may not specify more than 1 {kind}") for name in others)
