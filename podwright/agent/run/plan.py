"""The plan of a run: made by `expand`, read by `control`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from podwright.agent.run.workloads import OrderedPods, ParallelPods, Workload
from podwright.k8s.objects import ConfigMap, Pod, Secret, Service

BEGINNING = datetime.fromtimestamp(0, UTC)


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of an expansion in addition to the files.

    `now` makes CronJobs run once. `claims_root` has the claims' folders.
    """

    run_id: str
    node_name: str
    claims_root: str
    now: bool = False


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan. `folders` are to be made for claims, `warnings` name what is not honoured."""

    workloads: tuple[Workload, ...]
    services: tuple[Service, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    secrets: tuple[Secret, ...] = ()
    folders: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def all_pods(self) -> tuple[Pod, ...]:
        """The pods that are known before the run: all except later ones of jobs."""
        return tuple(pod for workload in self.workloads for pod in foreseen(workload))


def foreseen(workload: Workload) -> Iterable[Pod]:
    """The pods of a workload that are known before the run."""
    if isinstance(workload, ParallelPods | OrderedPods):
        return workload.members
    return workload.pods({}, BEGINNING)
