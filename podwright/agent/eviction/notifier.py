"""The kernel's alarm for memory, between two rounds: thresholds of cgroup v1 (kernelMemcgNotification).

cgroup v2 has no such thresholds, so there are only the rounds, as with a kubelet (pkg/kubelet/eviction,
threshold_notifier of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.thresholds import EvictionSignal, Threshold
from podwright.agent.eviction.signals import ALL_PODS
from podwright.agent.stats.records import NodeStats, SummaryMemory
from podwright.linux.cgroup import CgroupHost

log = logging.getLogger(__name__)

REFRESH_S = 10.0
USAGE, CONTROL = "memory.usage_in_bytes", "cgroup.event_control"


class AlarmPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The cgroup, and the usage in bytes at which the kernel sends a notice."""

    cgroup: str
    usage_bytes: int


class CgroupAlarm:
    """Implements `manager.MemoryAlarm`."""

    def __init__(self, host: CgroupHost, pods_cgroup: str, clock: Clock) -> None:
        """`pods_cgroup` is the cgroup above all pods, empty if there is none."""
        self._host = host
        self._pods_cgroup = pods_cgroup
        self._clock = clock
        self._armed_at: float | None = None
        self._eventfds: list[int] = []
        self._problem = ""

    @staticmethod
    def is_possible(host: CgroupHost) -> bool:
        """Whether this host has thresholds."""
        return "memory" in host.controllers

    def arm(self, thresholds: Sequence[Threshold], node: NodeStats, rang: Callable[[], None]) -> None:
        """See MemoryAlarm.

        The kernel's usage includes caches, so the alarm's points move with the size of the caches.
        """
        now = self._clock.monotonic()
        if self._armed_at is not None and now - self._armed_at < REFRESH_S:
            return
        self._armed_at = now
        self.close()
        for point in alarm_points(thresholds, node, self._pods_cgroup):
            try:
                self._watch(point, rang)
            except OSError as failure:
                if str(failure) != self._problem:
                    log.warning("the kernel sets no alarm for memory: error=%s", failure)
                self._problem = str(failure)

    def close(self) -> None:
        """Turn the alarm off."""
        loop = asyncio.get_running_loop()
        for eventfd in self._eventfds:
            loop.remove_reader(eventfd)
            os.close(eventfd)
        self._eventfds.clear()

    def _watch(self, point: AlarmPoint, rang: Callable[[], None]) -> None:
        """Raises OSError."""
        directory = self._host.directory(point.cgroup, "memory")
        if directory is None:
            raise FileNotFoundError(f"there is no memory cgroup {point.cgroup}")
        with contextlib.ExitStack() as stack:
            usage = os.open(f"{directory}/{USAGE}", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, usage)
            control = os.open(f"{directory}/{CONTROL}", os.O_WRONLY | os.O_CLOEXEC)
            stack.callback(os.close, control)
            eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            undo = stack.enter_context(contextlib.ExitStack())
            undo.callback(os.close, eventfd)
            os.write(control, f"{eventfd} {usage} {point.usage_bytes}".encode())
            undo.pop_all()
        self._eventfds.append(eventfd)
        asyncio.get_running_loop().add_reader(eventfd, _ring, eventfd, rang)


def _ring(eventfd: int, rang: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        os.eventfd_read(eventfd)
    rang()


def alarm_points(thresholds: Sequence[Threshold], node: NodeStats, pods_cgroup: str) -> list[AlarmPoint]:
    """The usage at which each memory threshold is met. Pure."""
    pods = next((part.memory for part in node.system_containers if part.name == ALL_PODS), None)
    places = {EvictionSignal.MEMORY: ("/", node.memory), EvictionSignal.ALLOCATABLE_MEMORY: (pods_cgroup, pods)}
    found = []
    for threshold in thresholds:
        cgroup, memory = places.get(threshold.signal, ("", None))
        usage = _usage_at(threshold, memory)
        if cgroup and usage is not None:
            found.append(AlarmPoint(cgroup=cgroup, usage_bytes=usage))
    return found


def _usage_at(threshold: Threshold, memory: SummaryMemory | None) -> int | None:
    """The usage at which the threshold is met: the capacity, minus what must be available, plus reclaimable caches."""
    if memory is None or memory.usage_bytes is None or memory.working_set_bytes is None:
        return None
    if memory.available_bytes is None:
        return None
    capacity = memory.available_bytes + memory.working_set_bytes
    idle = memory.usage_bytes - memory.working_set_bytes
    return capacity - threshold.value.of(capacity).whole + idle
