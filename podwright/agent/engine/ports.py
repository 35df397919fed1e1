"""What the engine needs of other rooms and of the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Protocol

import msgspec

from podwright.agent.admission.chain import Check
from podwright.agent.allocation.resizes import Resizes
from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.housekeeping import OrphanMirrors, PerPodHostState, PerPodState
from podwright.agent.loop import (
    HOUSEKEEPING_S,
    DeadContainers,
    LoopStatuses,
)
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.resources.protocol import Cgroups
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.workers.hooks import HttpGetter
from podwright.agent.workers.ports import (
    Configs,
    Images,
    NoPodClaims,
    ObjectRegistry,
    PodClaims,
    PodMirrors,
    Probes,
    StatusKeeper,
    UserRanges,
    Volumes,
)
from podwright.agent.workers.worker import Pauses
from podwright.k8s.objects import Pod, PodStatus


class PodSource(Protocol):
    """Where pods come from."""

    def sets(self) -> AsyncIterator[list[Pod]]:
        """Yield the complete set of pods, at first and whenever it may have changed. Never ends."""


class EngineStatuses(StatusKeeper, LoopStatuses, PerPodState, Protocol):
    """`status.manager`, as workers, loop and housekeeping need it."""

    def get(self, uid: str) -> PodStatus | None:
        """The newest status. None for a pod that has none yet."""


class EngineProbes(Probes, PerPodState, Protocol):
    """`probes.manager`."""


class EngineVolumes(Volumes, PerPodHostState, Protocol):
    """`volumes.manager`."""


class EngineUserRanges(UserRanges, PerPodState, Protocol):
    """`resources.userns`."""


class EngineCgroups(Cgroups, PerPodHostState, Protocol):
    """`resources.cgroups`."""


class EngineMirrors(PodMirrors, OrphanMirrors, Protocol):
    """What the API shows of static pods."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the configuration that the engine needs. Times are seconds."""

    root: str
    links_directory: str  # see `workers.starting`
    pauses: Pauses = msgspec.field(default_factory=Pauses)
    longest_restart_wait_s: float = 300.0
    evented: bool = True
    housekeeping_s: float = HOUSEKEEPING_S


class NoCredentials:
    """Without an API server pods have neither tokens nor certificates."""

    def retain(self, uids: Collection[str]) -> None:
        """Does nothing."""


class EnginePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine needs of other rooms."""

    runtime: CriRuntime
    statuses: EngineStatuses
    probes: EngineProbes
    images: Images
    configs: Configs
    volumes: EngineVolumes
    cgroups: EngineCgroups
    objects: ObjectRegistry
    users: EngineUserRanges
    resizes: Resizes
    mirrors: EngineMirrors
    http: HttpGetter
    dead_containers: DeadContainers
    events: EventRecorder
    clock: Clock
    runtime_problem: Callable[[], str]
    network_problem: Callable[[], str]
    handler_of: Callable[[Pod], str]
    admission: Sequence[Check] = ()
    problem_of_change: Callable[[Pod, Pod], str] = lambda _old, _new: ""  # see LoopPorts
    credentials: PerPodState = msgspec.field(default_factory=NoCredentials)
    claims: PodClaims = msgspec.field(default_factory=NoPodClaims)
    may_begin: Callable[[str], bool] = lambda _: True  # see WorkerPorts
    metrics: KubeletMetrics = msgspec.field(default_factory=KubeletMetrics)
