"""Waits after failures."""

from __future__ import annotations

import pytest

from podwright.k8s.client.listwatch.backoff import LONGEST_S, RESET_S, Backoff


def test_waits_double_up_to_a_limit() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.wait_s(number) for number in range(8)] == pytest.approx(
        [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    )


def test_chance_adds_up_to_as_much_again() -> None:
    assert Backoff(lambda: 1.0).wait_s(0) == pytest.approx(1.6)


def test_a_quiet_time_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    for _ in range(9):
        backoff.wait_s(0.0)
    assert backoff.wait_s(RESET_S) == LONGEST_S
    assert backoff.wait_s(2 * RESET_S + 1) == pytest.approx(0.8)
