"""Statistics of samples. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from podwright.errors import InvalidArgument

CONFIDENCE = 0.95


class SampleSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A sample in a few numbers, in the unit of its values. Outliers are included.

    `low` and `high` bound the median with a confidence of at least 95 % (see `median_interval`). They are None for
    fewer than six values, which are not enough.
    """

    count: int
    min: float
    p50: float
    p90: float
    p99: float
    max: float
    mean: float
    deviation: float
    low: float | None
    high: float | None


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
    # Interpolated from the lower value, so that equal neighbours give exactly that value.
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Two values of the sample between which the true median lies with at least 95 % confidence.

    They come from the binomial distribution of the number of samples below the median, which assumes no distribution
    of the samples. None if even the smallest and the largest value are not enough.
    """
    count = len(values)
    tail, outside = 0.5**count, 0
    while 2 * tail <= 1 - CONFIDENCE:
        outside += 1
        tail += math.comb(count, outside) * 0.5**count
    if outside == 0:
        return None
    ordered = sorted(values)
    return ordered[outside - 1], ordered[count - outside]


def summarise(values: Sequence[float]) -> SampleSummary:
    """The summary of a sample. Raises InvalidArgument for an empty one."""
    low, high = median_interval(values) or (None, None)
    return SampleSummary(
        count=len(values),
        min=percentile(values, 0),
        p50=percentile(values, 50),
        p90=percentile(values, 90),
        p99=percentile(values, 99),
        max=percentile(values, 100),
        mean=(mean := sum(values) / len(values)),
        deviation=math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)),
        low=low,
        high=high,
    )
