"""The parts of in-place resize, for the loop, workers and statuses."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence

import msgspec

from podwright.agent.admission.chain import Admission, Check
from podwright.agent.allocation.allocator import AllocatorPorts, ResizeAllocator
from podwright.agent.allocation.checkpoint import ACTUATED, ALLOCATED
from podwright.agent.allocation.conditions import ResizeConditions
from podwright.agent.allocation.feasibility import ResizeRules
from podwright.agent.allocation.records import AllocationRecords
from podwright.agent.clock import Clock, utc_now
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.resizes import ResizeMetrics
from podwright.k8s.objects import Pod


class Resizes(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of in-place resize. `actuated` are the resources that were last set at the runtime and on cgroups."""

    allocator: ResizeAllocator
    allocated: AllocationRecords
    actuated: AllocationRecords
    conditions: ResizeConditions

    def recover(self) -> None:
        """Take over the records of an earlier agent. Raises OSError."""
        self.allocated.recover()
        self.actuated.recover()

    def retain(self, uids: Collection[str]) -> None:
        """Forget all pods except these."""
        self.allocator.retain(uids)
        self.actuated.retain(uids)


def make_resizes(
    root: str,
    checks: Sequence[Check],
    pod_of: Callable[[str], Pod | None],
    events: EventRecorder,
    clock: Clock,
    metrics: ResizeMetrics,
    rules: ResizeRules | None = None,
) -> Resizes:
    """Make the parts.

    Records are in the directory `root`. A resize must pass `checks`. `pod_of` finds a pod by UID.
    """
    allocated = AllocationRecords(os.path.join(root, ALLOCATED))
    conditions = ResizeConditions(lambda: utc_now(clock))
    allocator = ResizeAllocator(
        AllocatorPorts(
            records=allocated,
            conditions=conditions,
            admission=Admission(checks),
            pod_of=pod_of,
            events=events,
            clock=clock,
            metrics=metrics,
            rules=rules or ResizeRules(),
        )
    )
    return Resizes(
        allocator=allocator,
        allocated=allocated,
        actuated=AllocationRecords(os.path.join(root, ACTUATED)),
        conditions=conditions,
    )
