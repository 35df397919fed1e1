"""Waits after failures: how they grow, and what they are worth when the clock is set."""

from __future__ import annotations

from podwright.agent.pods.backoff import KeyedBackoff

SECOND = 10**9
HOUR = 3600 * SECOND


def test_waits_double_up_to_the_longest() -> None:
    backoff, now = KeyedBackoff(first_s=10, longest_s=40), 1000 * SECOND
    waits = []
    for _ in range(4):
        backoff.next("a", now, now)
        waits.append((backoff.until_ns("a", now, now) - now) // SECOND)
        now += waits[-1] * SECOND
    assert waits == [10, 20, 40, 40]


def test_without_a_failure_nothing_waits() -> None:
    assert KeyedBackoff().until_ns("a", 5 * SECOND, 6 * SECOND) == 5 * SECOND


def test_a_clock_that_is_set_back_ends_the_wait() -> None:
    backoff, failed = KeyedBackoff(), 10 * HOUR
    backoff.next("a", failed, failed)
    now = failed - HOUR
    assert backoff.until_ns("a", failed, now) <= now


def test_what_is_from_before_the_clock_was_set_back_is_dropped() -> None:
    backoff = KeyedBackoff(longest_s=300)
    backoff.next("a", 10 * HOUR, 10 * HOUR)
    backoff.prune(9 * HOUR)
    assert backoff.until_ns("a", 9 * HOUR, 9 * HOUR) == 9 * HOUR
