"""Kubernetes quantities (`100m`, `1.5Gi`, `2e3`) as whole numbers of billionths, so that nothing is rounded early.

Grammar: apimachinery's resource.Quantity. Signs, one decimal point, binary and decimal suffixes, exponents.
"""

from __future__ import annotations

import re

from podwright.errors import InvalidArgument

NANO = 10**9
_PATTERN = re.compile(r"([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,3})?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse_nano(text: str | float) -> int:
    """The value in billionths, rounded up as the API does. Raises InvalidArgument."""
    match = _PATTERN.fullmatch(str(text))
    if match is None or not (match[2] or match[3]):
        raise InvalidArgument(f"{text!r} is not a quantity", hint="such as 500m, 2, 64Mi or 1.5Gi")
    sign, whole, fraction, suffix = match[1], match[2] or "", match[3] or "", match[4] or ""
    digits = int(whole + fraction or "0")
    exponent = -len(fraction) + 9
    if suffix in _BINARY:
        digits <<= _BINARY[suffix]
    elif suffix in _DECIMAL:
        exponent += _DECIMAL[suffix]
    else:
        exponent += int(suffix[1:])
    scale = int(10 ** abs(exponent))
    nano = digits * scale if exponent >= 0 else -(-digits // scale)
    return -nano if sign == "-" else nano


def whole_units(nano: int, unit_nano: int = NANO) -> int:
    """How many units of `unit_nano` billionths, rounded up."""
    return -(-nano // unit_nano)


def milli(text: str | float) -> int:
    """Thousandths, rounded up: what CPU is counted in."""
    return whole_units(parse_nano(text), NANO // 1000)


def whole(text: str | float) -> int:
    """Ones, rounded up: what memory is counted in."""
    return whole_units(parse_nano(text))
