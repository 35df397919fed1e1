"""CPU use per second, from one answer to the next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.model.usage import UINT64_MAX
from podwright.runtime.stats.rates import LONGEST_WINDOW_NS, NS_PER_S, Rates

BORN_NS = 10**15  # long ago
LONG_AGO_NS = BORN_NS - 10 * LONGEST_WINDOW_NS


def _rate(rates: Rates, after_s: float, cpu_s: float, *, born_ns: int = LONG_AGO_NS) -> int | None:
    return rates.rate("/a", int(cpu_s * NS_PER_S), now_ns=BORN_NS + int(after_s * NS_PER_S), born_ns=born_ns)


def test_the_first_answer_has_none() -> None:
    assert _rate(Rates(), 0, 5) is None


def test_the_second_tells_of_the_time_between() -> None:
    rates = Rates()
    _rate(rates, 0, 5)
    assert _rate(rates, 10, 10) == NS_PER_S // 2
    assert _rate(rates, 20, 30) == 2 * NS_PER_S


def test_a_young_cgroup_had_used_nothing_at_its_birth() -> None:
    assert _rate(Rates(), 4, 1, born_ns=BORN_NS) == NS_PER_S // 4


def test_one_that_is_too_young_has_none() -> None:
    rates = Rates()
    assert _rate(rates, 0.2, 0.1, born_ns=BORN_NS) is None
    assert _rate(rates, 2, 1, born_ns=BORN_NS) == NS_PER_S // 2


def test_quick_succession_shares_a_base() -> None:
    rates = Rates()
    _rate(rates, 0, 0)
    assert _rate(rates, 10, 5) == NS_PER_S // 2
    assert _rate(rates, 10.1, 5.1) == NS_PER_S // 2
    assert _rate(rates, 10.9, 5.9) == NS_PER_S // 2
    assert _rate(rates, 11, 6) == NS_PER_S


def test_a_base_that_is_too_old_tells_nothing() -> None:
    rates = Rates()
    _rate(rates, 0, 0)
    assert _rate(rates, 121, 60) is None
    assert _rate(rates, 131, 65) == NS_PER_S // 2


def test_a_count_that_fell_is_another_cgroups() -> None:
    rates = Rates()
    _rate(rates, 0, 100)
    assert _rate(rates, 0.5, 1) is None
    assert _rate(rates, 10.5, 6) == NS_PER_S // 2


def test_what_is_of_no_use_is_forgotten() -> None:
    rates = Rates()
    _rate(rates, 0, 0)
    rates.forget(now_ns=BORN_NS + LONGEST_WINDOW_NS)
    assert len(rates) == 1
    rates.forget(now_ns=BORN_NS + LONGEST_WINDOW_NS + 1)
    assert len(rates) == 0


@given(st.lists(st.tuples(st.integers(-(10**10), 10**12), st.integers(0, UINT64_MAX)), max_size=20))
def test_whatever_clock_and_counter_say(samples: list[tuple[int, int]]) -> None:
    rates = Rates()
    now_ns = BORN_NS
    for step_ns, cpu_ns in samples:
        now_ns += step_ns
        found = rates.rate("/a", cpu_ns, now_ns=now_ns, born_ns=now_ns)
        assert found is None or 0 <= found <= UINT64_MAX
