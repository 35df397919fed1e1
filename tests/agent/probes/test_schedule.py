"""Thresholds, against the plainest way to count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.probes.outcomes import ProbeResult
from podwright.agent.probes.schedule import Schedule, Series
from podwright.k8s.objects import Probe

RESULTS = st.lists(st.sampled_from([ProbeResult.SUCCESS, ProbeResult.FAILURE]), max_size=30)


@given(RESULTS, st.integers(1, 5), st.integers(1, 5))
def test_a_result_counts_when_the_last_ones_are_all_the_same(
    results: list[ProbeResult], failures: int, successes: int
) -> None:
    schedule = Schedule.of(Probe(failure_threshold=failures, success_threshold=successes))
    series = Series()
    for number, result in enumerate(results, 1):
        series = series.then(result)
        needed = successes if result is ProbeResult.SUCCESS else failures
        last = results[max(number - needed, 0) : number]
        assert series.decides(schedule) is (last == [result] * needed)


@given(st.integers(0, 600), st.integers(-(10**12), 10**12))
def test_the_first_wait_is_never_longer_than_the_delay(delay_s: int, age_ns: int) -> None:
    wait_s = Schedule.of(Probe(initial_delay_seconds=delay_s)).first_wait_s(0, age_ns)
    assert 0 <= wait_s <= delay_s
