from __future__ import annotations

from podwright.agent.seed.pods.backoff import Backoff


def test_delays_are_the_kubelets() -> None:
    """Restarts as soon as allowed, of a container that fails at once."""
    backoff, now, delays = Backoff(), 1000.0, []
    for _ in range(9):
        finished = now
        wait = backoff.wait_s("c", finished, now)
        delays.append(wait)
        now += wait
        backoff = backoff.next("c", finished, now)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_long_life_forgets() -> None:
    backoff = Backoff().next("c", 1000, 1000).next("c", 1010, 1020)
    assert backoff.wait_s("c", finished_s=1020 + 601, now_s=1621) == 0
    again = backoff.next("c", 1621, 1621)
    assert again.wait_s("c", finished_s=1622, now_s=1622) == 10


def test_containers_do_not_share_delays() -> None:
    assert Backoff().next("a", 1000, 1000).wait_s("b", 1000, 1000) == 0
