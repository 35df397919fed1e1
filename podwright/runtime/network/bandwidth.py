"""Traffic limits of pods, from annotations such as kubernetes.io/ingress-bandwidth: 10M. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from podwright.errors import InvalidArgument

INGRESS = "kubernetes.io/ingress-bandwidth"
EGRESS = "kubernetes.io/egress-bandwidth"
LOWEST_BITS = 10**3
HIGHEST_BITS = 10**15

_QUANTITY = re.compile(
    r"([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII
)
_SUFFIXES = {
    **{
        suffix: Decimal(10) ** exponent
        for suffix, exponent in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


class Bandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a pod's traffic in the pod's directions. 0 means no limit."""

    ingress_bits_s: int = 0
    egress_bits_s: int = 0


def parse_quantity(text: str) -> Decimal:
    """A number in Kubernetes' format: 10M, 1.5Gi, 2e6. Raises InvalidArgument."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise InvalidArgument(f"{text!r} is not a quantity", hint="such as 10M or 1.5Gi")
    number, exponent, suffix = match.groups()
    scale = Decimal(10) ** int(exponent) if exponent else _SUFFIXES.get(suffix or "", Decimal(1))
    return Decimal(number) * scale


def bandwidth(annotations: Mapping[str, str]) -> Bandwidth:
    """The limits in the annotations.

    Raises InvalidArgument for invalid quantities, and for limits below 1k or above 1P.
    """
    return Bandwidth(ingress_bits_s=_rate(annotations, INGRESS), egress_bits_s=_rate(annotations, EGRESS))


def _rate(annotations: Mapping[str, str], name: str) -> int:
    if name not in annotations:
        return 0
    try:
        rate = parse_quantity(annotations[name])
    except InvalidArgument as failure:
        raise InvalidArgument(f"annotation {name}: {failure.message}", hint=failure.hint) from failure
    if not LOWEST_BITS <= rate <= HIGHEST_BITS:
        raise InvalidArgument(f"annotation {name}: {annotations[name]} is not between 1k and 1P")
    return int(rate)
