"""From readings to pressures and what has to be done: the kubelet's rules, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.thresholds import EvictionSignal, Threshold, ThresholdValue, threshold_value
from podwright.agent.eviction.layout import DiskLayout, DiskPart, Garbage
from podwright.agent.eviction.pressure import Judgement, Memo, judge, met, with_container_fs
from podwright.agent.eviction.signals import Readings, read_signals
from podwright.agent.node.conditions import Pressure
from tests.agent.eviction.stats import filesystems, fs, memory, node

MEMORY, NODE_FS, IMAGE_FS = EvictionSignal.MEMORY, EvictionSignal.NODE_FS, EvictionSignal.IMAGE_FS
CONTAINER_FS = EvictionSignal.CONTAINER_FS
TRANSITION_S = 300.0


def below(signal: EvictionSignal, text: str, *, grace_s: float = 0, reclaim: str = "") -> Threshold:
    value = threshold_value(signal.value, text)
    assert value is not None
    least: ThresholdValue | None = threshold_value(signal.value, reclaim) if reclaim else None
    return Threshold(signal=signal, value=value, grace_s=grace_s, min_reclaim=least)


def reading(available: int, *, disk: int = 1000, time_s: float = 0) -> Readings:
    """A node of 1000 bytes of memory, and as many of disk."""
    return read_signals(node(available=available, time_s=time_s), filesystems(disk, time_s=time_s))


class Rounds:
    """One round after another, ten seconds apart."""

    def __init__(self, *thresholds: Threshold) -> None:
        self._thresholds = thresholds
        self._memo = Memo()
        self._now = 0.0

    def next(self, available: int, *, disk: int = 1000, after_s: float = 10.0, is_old: bool = False) -> Judgement:
        self._now += after_s
        readings = reading(available, disk=disk, time_s=0 if is_old else self._now)
        judgement = judge(self._thresholds, readings, self._memo, self._now, TRANSITION_S)
        self._memo = judgement.memo
        return judgement


def test_every_signal_is_read() -> None:
    found = read_signals(
        node(available=300, pods=memory(40, 60), pids=(10, 100)),
        filesystems(700, images=fs(600, 900, 50, 90)),
    )
    shown = {signal.value: (reading.available.whole, reading.capacity) for signal, reading in found.items()}
    assert shown == {
        "memory.available": (300, 1000),
        "allocatableMemory.available": (40, 100),
        "nodefs.available": (700, 1000),
        "nodefs.inodesFree": (1000, 1000),
        "imagefs.available": (600, 900),
        "imagefs.inodesFree": (50, 90),
        "containerfs.available": (600, 900),
        "containerfs.inodesFree": (50, 90),
        "pid.available": (90, 100),
    }


@pytest.mark.parametrize(("available", "is_met"), [(99, True), (100, False), (101, False)])
def test_a_threshold_is_met_below_its_value(available: int, is_met: bool) -> None:
    assert bool(met([below(MEMORY, "100")], reading(available))) is is_met
    assert bool(met([below(MEMORY, "10%")], reading(available))) is is_met


def test_what_is_not_measured_is_not_met() -> None:
    assert met([below(EvictionSignal.ALLOCATABLE_MEMORY, "50%")], reading(1)) == []


def test_a_hard_threshold_is_urgent_at_once() -> None:
    rounds = Rounds(below(MEMORY, "100"))
    assert rounds.next(500).urgent == ()
    found = rounds.next(50)
    assert found.pressures == {Pressure.MEMORY}
    assert [each.signal for each in found.urgent] == [MEMORY]


def test_a_soft_threshold_has_its_grace_and_the_pressure_is_shown_meanwhile() -> None:
    rounds = Rounds(below(MEMORY, "100", grace_s=25))
    for _ in range(3):
        found = rounds.next(50)
        assert found.pressures == {Pressure.MEMORY}
        assert not found.urgent
    assert rounds.next(50).urgent  # 30 s after it was met first
    assert not rounds.next(150).urgent
    assert not rounds.next(50).urgent  # the grace begins anew


def test_what_was_reclaimed_too_little_goes_on() -> None:
    rounds = Rounds(below(MEMORY, "100", reclaim="50"))
    assert rounds.next(90).urgent
    assert rounds.next(149).urgent
    assert not rounds.next(150).urgent
    assert not rounds.next(149).urgent  # the minimum reclaim counts after a threshold was met


def test_a_pressure_stays_for_the_transition_period() -> None:
    rounds = Rounds(below(MEMORY, "100"))
    assert rounds.next(50).pressures
    assert rounds.next(500, after_s=TRANSITION_S - 1).pressures
    assert not rounds.next(500, after_s=1).pressures


def test_an_old_reading_is_acted_on_once() -> None:
    rounds = Rounds(below(MEMORY, "100"))
    assert rounds.next(50, is_old=True).urgent
    found = rounds.next(50, is_old=True)
    assert found.pressures == {Pressure.MEMORY}
    assert not found.urgent


def test_memory_comes_before_disks() -> None:
    rounds = Rounds(below(NODE_FS, "100"), below(MEMORY, "100"))
    found = rounds.next(50, disk=50)
    assert found.pressures == {Pressure.MEMORY, Pressure.DISK}
    assert [each.signal for each in found.urgent] == [MEMORY, NODE_FS]


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.floats(1, 400)), min_size=1, max_size=30),
    st.integers(1, 900),
    st.integers(0, 90),
)
def test_urgency_always_shows_as_pressure_and_pressure_has_a_cause(
    steps: list[tuple[int, float]], value: int, grace_s: int
) -> None:
    rounds = Rounds(below(MEMORY, str(value), grace_s=grace_s))
    now, seen_at = 0.0, -TRANSITION_S
    for available, after_s in steps:
        now += after_s
        found = rounds.next(available, after_s=after_s)
        seen_at = now if available < value else seen_at
        assert bool(found.pressures) == (now - seen_at < TRANSITION_S)
        assert not found.urgent or found.pressures


@pytest.mark.parametrize(("on_images", "text"), [(False, "10%"), (True, "15%")])
def test_containers_layers_have_the_thresholds_of_the_filesystem_that_they_are_on(on_images: bool, text: str) -> None:
    configured = (below(NODE_FS, "10%"), below(IMAGE_FS, "15%"), below(CONTAINER_FS, "1%"))
    found = with_container_fs(configured, on_images=on_images)
    assert [each for each in found if each.signal is CONTAINER_FS] == [below(CONTAINER_FS, text)]
    assert set(configured[:2]) < set(found)


ALL, BOTH = frozenset(DiskPart), (Garbage.CONTAINERS, Garbage.IMAGES)
ON_NODE, LAYERS = frozenset({DiskPart.LOGS, DiskPart.VOLUMES}), frozenset({DiskPart.LAYERS})
ONE, APART = DiskLayout(), DiskLayout(images_apart=True)
SPLIT = DiskLayout(images_apart=True, layers_apart=True)


@pytest.mark.parametrize(
    ("layout", "signal", "parts", "garbage"),
    [
        (ONE, NODE_FS, ALL, BOTH),
        (ONE, IMAGE_FS, ALL, BOTH),
        (ONE, CONTAINER_FS, ALL, BOTH),
        (APART, NODE_FS, ON_NODE, ()),
        (APART, IMAGE_FS, LAYERS, BOTH),
        (APART, CONTAINER_FS, LAYERS, BOTH),
        (SPLIT, NODE_FS, ALL, (Garbage.CONTAINERS,)),
        (SPLIT, IMAGE_FS, frozenset(), (Garbage.IMAGES,)),
        (SPLIT, CONTAINER_FS, ALL, (Garbage.CONTAINERS,)),
    ],
)
def test_the_layout_says_what_to_measure_and_what_to_clear(
    layout: DiskLayout, signal: EvictionSignal, parts: frozenset[DiskPart], garbage: tuple[Garbage, ...]
) -> None:
    assert (layout.parts(signal), layout.garbage(signal)) == (parts, garbage)
    assert layout.garbage(MEMORY) == layout.garbage(EvictionSignal.PIDS) == ()
