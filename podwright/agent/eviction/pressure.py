"""Decides from readings what the node is short of: thresholds that are met, conditions, thresholds to act on. Pure.

The steps are those of the kubelet's eviction manager (pkg/kubelet/eviction of Kubernetes 1.36). Times are seconds of
`Clock.monotonic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from podwright.agent.config.thresholds import EvictionSignal, Threshold
from podwright.agent.eviction.signals import RESOURCES, Readings, pressure_of
from podwright.agent.node.conditions import Pressure
from podwright.k8s.quantity import Amount

_CONTAINER_FS = {
    EvictionSignal.CONTAINER_FS: (EvictionSignal.NODE_FS, EvictionSignal.IMAGE_FS),
    EvictionSignal.CONTAINER_FS_INODES: (EvictionSignal.NODE_FS_INODES, EvictionSignal.IMAGE_FS_INODES),
}
_MEMORY = (EvictionSignal.MEMORY, EvictionSignal.ALLOCATABLE_MEMORY)


class Memo(msgspec.Struct, frozen=True, kw_only=True):
    """What one round remembers for the next one."""

    met_since: Mapping[Threshold, float] = msgspec.field(default_factory=dict)
    pressure_at: Mapping[Pressure, float] = msgspec.field(default_factory=dict)  # when each was last seen
    unresolved: tuple[Threshold, ...] = ()  # met for as long as their grace, and not resolved since
    readings: Readings = msgspec.field(default_factory=dict)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a round. `urgent` has the thresholds to act on, the most urgent first."""

    memo: Memo
    pressures: frozenset[Pressure]
    urgent: tuple[Threshold, ...]


def with_container_fs(thresholds: Iterable[Threshold], *, on_images: bool) -> tuple[Threshold, ...]:
    """The thresholds, with those of containerfs copied from the filesystem that it is on.

    `on_images`: containers' layers are on the images' own filesystem (imagefs), else on the node's (nodefs).
    Thresholds that are configured for containerfs itself are ignored, as in the kubelet.
    """
    own = [each for each in thresholds if each.signal not in _CONTAINER_FS]
    copies = [
        replace(each, signal=signal)
        for signal, sources in _CONTAINER_FS.items()
        for each in own
        if each.signal is sources[on_images]
    ]
    return (*own, *copies)


def met(thresholds: Iterable[Threshold], readings: Readings, *, with_reclaim: bool = False) -> list[Threshold]:
    """The thresholds that are met. `with_reclaim`: the minimum reclaim counts in addition to the value."""
    return [each for each in thresholds if each.signal in readings and _is_met(each, readings, with_reclaim)]


def needed(threshold: Threshold, capacity: int, *, with_reclaim: bool = False) -> Amount:
    """How much must be available."""
    amount = threshold.value.of(capacity)
    if with_reclaim and threshold.min_reclaim is not None:
        amount = amount + threshold.min_reclaim.of(capacity)
    return amount


def _is_met(threshold: Threshold, readings: Readings, with_reclaim: bool) -> bool:
    reading = readings[threshold.signal]
    return needed(threshold, reading.capacity, with_reclaim=with_reclaim) > reading.available


def judge(
    thresholds: Sequence[Threshold], readings: Readings, before: Memo, now: float, transition_s: float
) -> Judgement:
    """Judge one round. A pressure stays for `transition_s` after it was last seen."""
    short = list(dict.fromkeys([*met(thresholds, readings), *met(before.unresolved, readings, with_reclaim=True)]))
    since = {each: before.met_since.get(each, now) for each in short}
    seen = {**before.pressure_at, **{pressure_of(each.signal): now for each in short}}
    due = tuple(each for each in short if now - since[each] >= each.grace_s)
    fresh = (each for each in due if _is_newer(each.signal, readings, before.readings))
    return Judgement(
        memo=Memo(met_since=since, pressure_at=seen, unresolved=due, readings=readings),
        pressures=frozenset(pressure for pressure, at in seen.items() if at == now or now - at < transition_s),
        urgent=tuple(sorted(fresh, key=lambda each: each.signal not in _MEMORY)),
    )


def _is_newer(signal: EvictionSignal, readings: Readings, before: Readings) -> bool:
    """Whether the reading is newer than the one before, on which the last round has acted."""
    return signal not in before or readings[signal].time > before[signal].time


def shortage(resource: str, thresholds: Iterable[Threshold], readings: Readings) -> tuple[Amount, Amount] | None:
    """(the amount that must be available, the amount that is) of the first threshold about the resource."""
    for each in thresholds:
        if RESOURCES[each.signal] == resource and each.signal in readings:
            reading = readings[each.signal]
            return needed(each, reading.capacity), reading.available
    return None
