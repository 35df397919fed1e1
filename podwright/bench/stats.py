"""Percentiles and their like. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from podwright.errors import InvalidArgument


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A sample in a few numbers, in the unit of its values."""

    count: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float
    mean: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile by linear interpolation between the closest ranks (method 7 of Hyndman and Fan).

    Raises InvalidArgument for an empty sample and for percentages outside 0..100.
    """
    if not values:
        raise InvalidArgument("an empty sample has no percentiles")
    if not 0 <= percent <= 100:
        raise InvalidArgument(f"{percent} is not a percentage")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    # Weighted from the lower value, so that equal neighbours give exactly that value.
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def summarise(values: Sequence[float]) -> Summary:
    """The summary of a sample. Raises InvalidArgument for an empty one."""
    return Summary(
        count=len(values),
        min=percentile(values, 0),
        p50=percentile(values, 50),
        p90=percentile(values, 90),
        p99=percentile(values, 99),
        max=percentile(values, 100),
        mean=sum(values) / len(values),
    )
