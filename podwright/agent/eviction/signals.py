"""The signals of eviction: what each measures, of which resource, and the node condition for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from podwright.agent.config.thresholds import EvictionSignal
from podwright.agent.node.conditions import Pressure
from podwright.agent.stats.protocol import Filesystems
from podwright.agent.stats.records import Fs, Moment, NodeStats, Rlimit, SummaryContainer, SummaryMemory
from podwright.k8s.quantity import NANO, Amount, Format

MEMORY, STORAGE, INODES, PIDS = "memory", "ephemeral-storage", "inodes", "pids"  # as messages name resources
ALL_PODS = "pods"  # the part of the system that holds all pods

RESOURCES = {
    EvictionSignal.MEMORY: MEMORY,
    EvictionSignal.ALLOCATABLE_MEMORY: MEMORY,
    EvictionSignal.NODE_FS: STORAGE,
    EvictionSignal.NODE_FS_INODES: INODES,
    EvictionSignal.IMAGE_FS: STORAGE,
    EvictionSignal.IMAGE_FS_INODES: INODES,
    EvictionSignal.CONTAINER_FS: STORAGE,
    EvictionSignal.CONTAINER_FS_INODES: INODES,
    EvictionSignal.PIDS: PIDS,
}
_PRESSURES = {MEMORY: Pressure.MEMORY, STORAGE: Pressure.DISK, INODES: Pressure.DISK, PIDS: Pressure.PID}


class SignalReading(msgspec.Struct, frozen=True, kw_only=True):
    """The measured values of a signal, in bytes, inodes or process ids."""

    available: Amount
    capacity: int
    time: Moment


Readings = dict[EvictionSignal, SignalReading]


def pressure_of(signal: EvictionSignal) -> Pressure:
    """The condition that the node has while a threshold of the signal is met."""
    return _PRESSURES[RESOURCES[signal]]


def read_signals(node: NodeStats, filesystems: Filesystems) -> Readings:
    """The reading of every signal that these statistics cover."""
    pods = next((part for part in node.system_containers if part.name == ALL_PODS), None)
    return dict(
        [
            *_memory(EvictionSignal.MEMORY, node.memory),
            *_memory(EvictionSignal.ALLOCATABLE_MEMORY, _memory_of(pods)),
            *_filesystem(EvictionSignal.NODE_FS, EvictionSignal.NODE_FS_INODES, filesystems.node),
            *_filesystem(EvictionSignal.IMAGE_FS, EvictionSignal.IMAGE_FS_INODES, filesystems.images),
            *_filesystem(EvictionSignal.CONTAINER_FS, EvictionSignal.CONTAINER_FS_INODES, filesystems.containers),
            *_pids(node.rlimit),
        ]
    )


Entries = Iterator[tuple[EvictionSignal, SignalReading]]


def _memory_of(part: SummaryContainer | None) -> SummaryMemory | None:
    return part.memory if part is not None else None


def _memory(signal: EvictionSignal, memory: SummaryMemory | None) -> Entries:
    """The memory signal. Without a limit nothing is known to be available, so there is no reading."""
    if memory is not None and memory.available_bytes is not None and memory.working_set_bytes is not None:
        capacity = memory.available_bytes + memory.working_set_bytes
        yield signal, _reading(memory.available_bytes, capacity, memory.time, Format.BINARY)


def _filesystem(space: EvictionSignal, inodes: EvictionSignal, found: Fs | None) -> Entries:
    if found is None:
        return
    if found.available_bytes is not None and found.capacity_bytes is not None:
        yield space, _reading(found.available_bytes, found.capacity_bytes, found.time, Format.BINARY)
    if found.inodes_free is not None and found.inodes is not None:
        yield inodes, _reading(found.inodes_free, found.inodes, found.time, Format.DECIMAL)


def _pids(found: Rlimit | None) -> Entries:
    if found is not None and found.maxpid is not None and found.curproc is not None:
        left = found.maxpid - found.curproc
        yield EvictionSignal.PIDS, _reading(left, found.maxpid, found.time, Format.DECIMAL)


def _reading(available: int, capacity: int, time: Moment, form: Format) -> SignalReading:
    return SignalReading(available=Amount(available * NANO, form), capacity=capacity, time=time)


def names(signals: Iterable[EvictionSignal]) -> str:
    """The signals' names, for the log."""
    return ",".join(signal.value for signal in signals)
