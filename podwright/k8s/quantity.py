"""Kubernetes quantities (`100m`, `1.5Gi`, `2e3`): exact amounts with the format that they were written in.

The rules are those of apimachinery's resource.Quantity: nothing is finer than a billionth (finer parts are rounded
up), binary amounts end at 2^63-1, and the canonical text has the largest suffix that leaves a whole number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from podwright.errors import InvalidArgument

NANO = 10**9
_BINARY_LIMIT_NANO = (2**63 - 1) * NANO
# Go accepts any number of digits. A longer text is an attack.
_PATTERN = re.compile(r"([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,3})?", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {exponent: suffix for suffix, exponent in _BINARY.items()}


class Format(Enum):
    """How an amount is written."""

    DECIMAL = "DecimalSI"
    BINARY = "BinarySI"
    EXPONENT = "DecimalExponent"


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """A quantity's value in billionths. Amounts compare by value. A sum has the format of its first non-zero part."""

    nano: int
    format: Format = field(default=Format.DECIMAL, compare=False)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nano + other.nano, self.format if self.nano else other.format)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nano - other.nano, self.format if self.nano else other.format)

    def __neg__(self) -> Amount:
        return Amount(-self.nano, self.format)

    def __str__(self) -> str:
        """The canonical text."""
        if not self.nano:
            return "0"
        binary = self.format is Format.BINARY and abs(self.nano) >= 1024 * NANO and not self.nano % NANO
        return _binary_text(self.nano // NANO) if binary else _decimal_text(self.nano, self.format)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up: what CPU is counted in."""
        return whole_units(self.nano, NANO // 1000)

    @property
    def whole(self) -> int:
        """Ones, rounded up: what memory is counted in."""
        return whole_units(self.nano)


def parse(text: str | float) -> Amount:
    """The amount. Raises InvalidArgument for what is no quantity."""
    return _parse(str(text))


def parse_all(quantities: Mapping[str, str]) -> dict[str, Amount]:
    """The amounts of several resources, by name. Raises InvalidArgument."""
    return {name: parse(text) for name, text in quantities.items()}


@lru_cache(maxsize=1024)
def _parse(text: str) -> Amount:
    match = _PATTERN.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise InvalidArgument(f"{text!r} is not a quantity", hint="such as 500m, 2, 64Mi or 1.5Gi")
    sign, whole_part, fraction, suffix = match[1], match[2] or "", match[3] or "", match[4] or ""
    digits, exponent = int(whole_part + fraction or "0"), 9 - len(fraction)
    form = Format.DECIMAL
    if suffix in _BINARY:
        digits <<= _BINARY[suffix]
        form = Format.BINARY
    elif suffix in _DECIMAL:
        exponent += _DECIMAL[suffix]
    else:
        exponent += int(suffix[1:])
        form = Format.EXPONENT
    scale = int(10 ** abs(exponent))
    nano = digits * scale if exponent >= 0 else -(-digits // scale)
    if form is Format.BINARY:
        nano = min(nano, _BINARY_LIMIT_NANO)
        form = Format.DECIMAL if 0 < nano < NANO else form
    return Amount(-nano if sign == "-" else nano, form)


def parse_nano(text: str | float) -> int:
    """The value in billionths. Raises InvalidArgument."""
    return parse(text).nano


def whole_units(nano: int, unit_nano: int = NANO) -> int:
    """How many units of `unit_nano` billionths, rounded up (away from zero, as Go does)."""
    units = -(-abs(nano) // unit_nano)
    return units if nano >= 0 else -units


def whole(text: str | float) -> int:
    """Ones, rounded up. Raises InvalidArgument."""
    return parse(text).whole


def _decimal_text(nano: int, form: Format) -> str:
    number, exponent = nano, -9
    while number % 1000 == 0 and (form is Format.EXPONENT or exponent < 18):
        number //= 1000
        exponent += 3
    if form is Format.EXPONENT:
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_DECIMAL_SUFFIX[exponent]}"


def _binary_text(units: int) -> str:
    exponent = 0
    while units % 1024 == 0 and exponent < 60:
        units //= 1024
        exponent += 10
    return f"{units}{_BINARY_SUFFIX.get(exponent, '')}"
