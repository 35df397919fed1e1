"""When a machine is idle."""

from __future__ import annotations

import pytest

from podwright.bench import settling
from podwright.bench.settling import busy_share, settle

BEFORE = "cpu  100 0 100 1000 50 0 0 0 7 0"


@pytest.mark.parametrize(
    ("after", "share"),
    [
        ("cpu  100 0 100 1100 50 0 0 0 7 0", 0.0),
        ("cpu  100 0 100 1050 100 0 0 0 7 0", 0.0),  # waiting for a disk is no work
        ("cpu  125 0 125 1050 50 0 0 0 7 0", 0.5),
        ("cpu  100 0 100 1000 50 50 30 20 7 0", 1.0),
        ("cpu  150 0 100 1050 50 0 0 0 57 0", 0.5),  # guests' time is in the first as well
        (BEFORE, 0.0),
    ],
)
def test_busy_share(after: str, share: float) -> None:
    assert busy_share(BEFORE, after) == pytest.approx(share)


async def test_a_busy_machine_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(settling, "LOOK_S", 0.001)
    monkeypatch.setattr(settling, "_times", lambda: f"cpu {next(ticks)} 0 0 0 0 0 0 0")
    assert not await settle(0.02)


async def test_an_idle_one_is_not_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(settling, "LOOK_S", 0.001)
    monkeypatch.setattr(settling, "_times", lambda: f"cpu 0 0 0 {next(ticks)} 0 0 0 0")
    assert await settle(1000)
