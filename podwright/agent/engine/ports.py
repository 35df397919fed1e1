"""What the engine needs of other rooms and of the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec

from podwright.agent.admission.chain import Check
from podwright.agent.housekeeping import OrphanMirrors, PerPodParts, PerPodState
from podwright.agent.loop import HOUSEKEEPING_S, DeadContainers, LoopStatuses
from podwright.agent.workers.ports import PodMirrors, StatusKeeper, SyncerPorts
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


class EngineMirrors(PodMirrors, OrphanMirrors, Protocol):
    """What the API shows of static pods."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the configuration that the engine needs. Times are seconds."""

    pauses: Pauses = msgspec.field(default_factory=Pauses)
    longest_restart_wait_s: float = 300.0
    evented: bool = True
    housekeeping_s: float = HOUSEKEEPING_S


class EnginePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine needs of other rooms."""

    passes: SyncerPorts
    statuses: EngineStatuses  # those of `passes`, for the loop
    per_pod: PerPodParts
    dead_containers: DeadContainers
    runtime_problem: Callable[[], str]  # why the runtime cannot be used; empty when it can
    admission: Sequence[Check] = ()
    problem_of_change: Callable[[Pod, Pod], str] = lambda _old, _new: ""  # see LoopPorts
    may_begin: Callable[[str], bool] = lambda _: True  # see WorkerPorts
