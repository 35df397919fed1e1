"""Expands the objects of files to the plan of a run on one machine. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.run.checks import claims_of, missing_objects, twin_pods, warnings_of
from podwright.agent.run.claims import ClaimFolders, bind
from podwright.agent.run.documents import Objects
from podwright.agent.run.host_ports import host_port_faults
from podwright.agent.run.jobs import expand_cron_job, expand_job
from podwright.agent.run.plan import RunFacts, RunPlan
from podwright.agent.run.pods import PodMaker, owner_of
from podwright.agent.run.replicas import (
    expand_daemon_set,
    expand_deployment,
    expand_replica_set,
    expand_stateful_set,
)
from podwright.agent.run.services import unmatched
from podwright.agent.run.workloads import ParallelPods, Workload
from podwright.errors import InvalidArgument
from podwright.k8s.objects import (
    ConfigMap,
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    ReplicaSet,
    Secret,
    Service,
    StatefulSet,
)
from podwright.k8s.objects.base import Kind
from podwright.k8s.problems import ManifestError


def expand(objects: Objects, situation: RunFacts) -> RunPlan:
    """The plan. Raises ManifestError for dangling references, InvalidArgument if there is nothing to run."""
    bound = bind(objects.of(PersistentVolumeClaim), objects.of(PersistentVolume))
    folders = ClaimFolders(root=situation.claims_root, bound=bound)
    maker = PodMaker(run_id=situation.run_id, node_name=situation.node_name, folders=folders)
    runnable = [each for each in objects.loaded if not isinstance(each.value, CronJob) or situation.now]
    workloads = tuple(found for each in runnable if (found := workload_of(each.value, maker)) is not None)
    if not workloads:
        raise _nothing_to_run(objects)
    plan = RunPlan(
        workloads=workloads,
        services=tuple(objects.of(Service)),
        config_maps=tuple(objects.of(ConfigMap)),
        secrets=tuple(objects.of(Secret)),
        folders=folders.to_make(claims_of(runnable)),
        warnings=tuple(warnings_of(objects, now=situation.now)),
    )
    if faults := [*missing_objects(objects, runnable), *twin_pods(plan), *host_port_faults(plan.all_pods())]:
        raise ManifestError(faults)
    return replace(plan, warnings=(*plan.warnings, *unmatched(plan.services, plan.all_pods())))


def workload_of(value: Kind, maker: PodMaker) -> Workload | None:  # noqa: PLR0911 # one for each kind
    """The workload of an object. None for an object without pods."""
    match value:
        case Pod():
            return ParallelPods(owner=str(owner_of(value, value.metadata)), members=(maker.finish(value),))
        case Deployment():
            return expand_deployment(value, maker)
        case ReplicaSet():
            return expand_replica_set(value, maker)
        case DaemonSet():
            return expand_daemon_set(value, maker)
        case StatefulSet():
            return expand_stateful_set(value, maker)
        case Job():
            return expand_job(value, maker)
        case CronJob():
            return expand_cron_job(value, maker)
        case _:
            return None


def _nothing_to_run(objects: Objects) -> InvalidArgument:
    cron_jobs = objects.of(CronJob)
    if cron_jobs:
        name = cron_jobs[0].metadata.name
        hint = "--now runs its job once; a systemd timer can repeat that"
        return InvalidArgument(f"CronJob {name}: a run does not keep schedules, and there is nothing else", hint=hint)
    return InvalidArgument(
        "the files hold nothing to run", hint="add a Pod, Deployment, StatefulSet, DaemonSet or Job"
    )
