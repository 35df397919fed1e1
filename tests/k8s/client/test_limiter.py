"""The token bucket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podwright.k8s.client.limiter import TokenBucket


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=2)
    assert [bucket.reserve(0.0, 60) for _ in range(4)] == [0.0, 0.0, 0.1, 0.2]
    assert bucket.reserve(10.0, 60) == 0.0


def test_who_cannot_wait_so_long_takes_no_token() -> None:
    bucket = TokenBucket(rate=1, burst=1)
    assert bucket.reserve(0.0, 0) == 0.0
    assert bucket.reserve(0.0, 0.5) is None
    assert bucket.reserve(0.0, 1.0) == 1.0


def test_no_rate_is_no_limit() -> None:
    bucket = TokenBucket(rate=0, burst=0)
    assert [bucket.reserve(0.0, 0) for _ in range(100)] == [0.0] * 100


@given(gaps=st.lists(st.floats(0, 1), max_size=60), rate=st.floats(1, 50), burst=st.integers(1, 20))
def test_never_more_than_the_burst_and_the_rate_allow(gaps: list[float], rate: float, burst: int) -> None:
    bucket, now, starts = TokenBucket(rate=rate, burst=burst), 0.0, []
    for gap in gaps:
        now += gap
        wait = bucket.reserve(now, 1e9)
        assert wait is not None
        starts.append(now + wait)
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            assert last - first + 1 <= burst + (starts[last] - starts[first]) * rate + 1e-6
