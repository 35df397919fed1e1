"""`podwright run --kube-down`: ends the pods that an earlier run made from the same files. `plan_down` is pure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from podwright.agent.run.plan import RunPlan
from podwright.agent.run.runs import RunPod, RunRecord
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import CriContainerState, SandboxSummary
from podwright.errors import PodwrightError

MIN_GRACE_S = 2  # the kubelet's: a program gets a moment even if its manifest gives none


class PodToEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A pod to end. `record` is the run that made it."""

    pod: RunPod
    record: RunRecord


class DownPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`living` has pods of runs that still run, `foreign` sandboxes that no run has made. Both stay."""

    doomed: tuple[PodToEnd, ...] = ()
    living: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def plan_down(
    plan: RunPlan, records: Sequence[RunRecord], held: frozenset[str], sandboxes: Sequence[SandboxSummary]
) -> DownPlan:
    """Plan to end every pod that a run has made for a workload of the files, whatever the pod's name.

    `records` are those of ended runs, `held` has the UIDs of pods whose run still runs.
    """
    owners = {workload.owner for workload in plan.workloads}
    names = {(pod.metadata.namespace, pod.metadata.name) for pod in plan.all_pods()}
    doomed = tuple(
        PodToEnd(pod=pod, record=record) for record in records for pod in record.pods if pod.owner in owners
    )
    known = {each.pod.uid for each in doomed}
    others = {
        each.pod_uid: f"{each.pod_namespace}/{each.pod_name}"
        for each in sandboxes
        if (each.pod_namespace, each.pod_name) in names and each.pod_uid not in known
    }
    return DownPlan(
        doomed=doomed,
        living=tuple(name for uid, name in others.items() if uid in held),
        foreign=tuple(name for uid, name in others.items() if uid not in held),
    )


class Takedown(msgspec.Struct, kw_only=True):
    """Ends pods at a runtime. `release` removes a pod's volumes, files and logs from this machine."""

    runtime: CriRuntime
    release: Callable[[PodToEnd], Awaitable[None]]
    problems: list[str] = msgspec.field(default_factory=list)

    async def end(self, doomed: Sequence[PodToEnd]) -> frozenset[str]:
        """End all pods at once. Returns the UIDs of those that are gone. Failures are in `problems`."""
        ended = await asyncio.gather(*(self._end_one(each) for each in doomed))
        return frozenset(each.pod.uid for each, gone in zip(doomed, ended, strict=True) if gone)

    async def _end_one(self, doomed: PodToEnd) -> bool:
        try:
            await self._end(doomed)
        except (PodwrightError, OSError) as failure:
            self.problems.append(f"pod {doomed.pod.full_name}: {failure}")
            return False
        return True

    async def _end(self, doomed: PodToEnd) -> None:
        uid, grace_s = doomed.pod.uid, max(MIN_GRACE_S, doomed.pod.grace_s)
        containers = await self.runtime.pod_containers(uid)
        alive = [each.id for each in containers if each.state is not CriContainerState.EXITED]
        await asyncio.gather(*(self.runtime.stop_container(each, grace_s) for each in alive))
        for container in containers:
            await self.runtime.remove_container(container.id)
        for sandbox in await self.runtime.pod_sandboxes(uid):
            await self.runtime.stop_sandbox(sandbox.id)
            await self.runtime.remove_sandbox(sandbox.id)
        await self.release(doomed)
