"""Makes the eviction manager from the configuration."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.thresholds import of_all_pods
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.eviction.layout import Garbage
from podwright.agent.eviction.manager import EvictionManager, EvictionPorts, EvictionSettings
from podwright.agent.eviction.notifier import CgroupAlarm
from podwright.agent.gc.containers import ContainerGc
from podwright.agent.gc.images import ImageGc
from podwright.agent.metrics.eviction import EvictionMetrics
from podwright.agent.stats.protocol import StatsProvider
from podwright.agent.workers.ending import Ender
from podwright.k8s.objects import Pod
from podwright.linux import cgroup


class EvictionInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What eviction needs of the agent."""

    stats: StatsProvider
    active: Callable[[], list[Pod]]
    ender: Ender
    is_idle: Callable[[str], bool]
    is_finished: Callable[[str], bool]
    containers: ContainerGc
    images: ImageGc
    pressures_changed: Callable[[], None]
    events: EventRecorder
    metrics: EvictionMetrics
    clock: Clock
    pods_cgroup: str  # the cgroup above all pods; empty if there is none


def make_eviction(config: AgentConfig, inputs: EvictionInputs) -> EvictionManager:
    """The manager, not yet running."""
    eviction, host = config.eviction, cgroup.detect()

    async def clear(garbage: Garbage) -> None:
        if garbage is Garbage.CONTAINERS:
            await inputs.containers.collect(everything=True)
        else:
            await inputs.images.remove_all_unused()

    ports = EvictionPorts(
        stats=inputs.stats,
        active=inputs.active,
        ender=inputs.ender,
        is_idle=inputs.is_idle,
        is_finished=inputs.is_finished,
        clear=clear,
        pressures_changed=inputs.pressures_changed,
        events=inputs.events,
        metrics=inputs.metrics,
        clock=inputs.clock,
    )
    allocatable = of_all_pods(eviction.thresholds) if "pods" in config.reserved.enforced else ()
    settings = EvictionSettings(
        thresholds=(*eviction.thresholds, *allocatable),
        transition_s=eviction.pressure_transition_period_s,
        max_pod_grace_s=eviction.max_pod_grace_period_s,
        limits_storage=eviction.local_storage_isolation,
    )
    alarm = None
    if eviction.kernel_memcg_notification and CgroupAlarm.is_possible(host):
        alarm = CgroupAlarm(host, inputs.pods_cgroup, inputs.clock)
    return EvictionManager(ports, settings, alarm)
