"""Defaults of the kinds that make pods. Their templates are defaulted by the rules in `core`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from podwright.k8s.objects.apps import (
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSetSpec,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
    RollingUpdateStatefulSetStrategy,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.objects.batch import CronJobSpec, Job, JobSpec, PodFailurePolicyOnPodConditionsPattern

BACKOFF_LIMIT = 6
INT32_MAX = 2**31 - 1


def _deployment(spec: DeploymentSpec) -> DeploymentSpec:
    return replace(
        spec,
        replicas=1 if spec.replicas is None else spec.replicas,
        revision_history_limit=10 if spec.revision_history_limit is None else spec.revision_history_limit,
        progress_deadline_seconds=600 if spec.progress_deadline_seconds is None else spec.progress_deadline_seconds,
        strategy=_deployment_strategy(spec.strategy),
    )


def _deployment_strategy(strategy: DeploymentStrategy) -> DeploymentStrategy:
    kind, rolling = strategy.type or "RollingUpdate", strategy.rolling_update
    if kind == "RollingUpdate":
        rolling = rolling or RollingUpdateDeployment()
        rolling = RollingUpdateDeployment(
            max_surge="25%" if rolling.max_surge is None else rolling.max_surge,
            max_unavailable="25%" if rolling.max_unavailable is None else rolling.max_unavailable,
        )
    return DeploymentStrategy(type=kind, rolling_update=rolling)


def _daemon_set(spec: DaemonSetSpec) -> DaemonSetSpec:
    kind, rolling = spec.update_strategy.type or "RollingUpdate", spec.update_strategy.rolling_update
    if kind == "RollingUpdate":
        rolling = rolling or RollingUpdateDaemonSet()
        rolling = RollingUpdateDaemonSet(
            max_surge=0 if rolling.max_surge is None else rolling.max_surge,
            max_unavailable=1 if rolling.max_unavailable is None else rolling.max_unavailable,
        )
    return replace(
        spec,
        update_strategy=DaemonSetUpdateStrategy(type=kind, rolling_update=rolling),
        revision_history_limit=10 if spec.revision_history_limit is None else spec.revision_history_limit,
    )


def _stateful_set(spec: StatefulSetSpec) -> StatefulSetSpec:
    kind, rolling = spec.update_strategy.type, spec.update_strategy.rolling_update
    if not kind:
        kind, rolling = "RollingUpdate", rolling or RollingUpdateStatefulSetStrategy()
    if kind == "RollingUpdate" and rolling is not None and rolling.partition is None:
        rolling = replace(rolling, partition=0)
    retention = spec.persistent_volume_claim_retention_policy or StatefulSetPersistentVolumeClaimRetentionPolicy()
    return replace(
        spec,
        pod_management_policy=spec.pod_management_policy or "OrderedReady",
        update_strategy=StatefulSetUpdateStrategy(type=kind, rolling_update=rolling),
        persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicy(
            when_deleted=retention.when_deleted or "Retain", when_scaled=retention.when_scaled or "Retain"
        ),
        replicas=1 if spec.replicas is None else spec.replicas,
        revision_history_limit=10 if spec.revision_history_limit is None else spec.revision_history_limit,
    )


def _replica_set(spec: ReplicaSetSpec) -> ReplicaSetSpec:
    return spec if spec.replicas is not None else replace(spec, replicas=1)


def _job(job: Job) -> Job:
    labels = job.metadata.labels or job.spec.template.metadata.labels
    return replace(job, metadata=replace(job.metadata, labels=labels), spec=_job_spec(job.spec))


def _job_spec(spec: JobSpec) -> JobSpec:
    both_absent = spec.completions is None and spec.parallelism is None
    backoff = INT32_MAX if spec.backoff_limit_per_index is not None else BACKOFF_LIMIT
    return replace(
        spec,
        completions=1 if both_absent else spec.completions,
        parallelism=1 if spec.parallelism is None else spec.parallelism,
        backoff_limit=backoff if spec.backoff_limit is None else spec.backoff_limit,
        completion_mode=spec.completion_mode or "NonIndexed",
        suspend=bool(spec.suspend),
        manual_selector=bool(spec.manual_selector),
        pod_replacement_policy=spec.pod_replacement_policy
        or ("Failed" if spec.pod_failure_policy is not None else "TerminatingOrFailed"),
    )


def _cron_job(spec: CronJobSpec) -> CronJobSpec:
    succeeded, failed = spec.successful_jobs_history_limit, spec.failed_jobs_history_limit
    return replace(
        spec,
        concurrency_policy=spec.concurrency_policy or "Allow",
        suspend=bool(spec.suspend),
        successful_jobs_history_limit=3 if succeeded is None else succeeded,
        failed_jobs_history_limit=1 if failed is None else failed,
    )


def _conditions_pattern(pattern: PodFailurePolicyOnPodConditionsPattern) -> PodFailurePolicyOnPodConditionsPattern:
    return pattern if pattern.status else replace(pattern, status="True")


RULES: dict[type[ApiObject], Callable[[Any], Any]] = {
    DeploymentSpec: _deployment,
    DaemonSetSpec: _daemon_set,
    StatefulSetSpec: _stateful_set,
    ReplicaSetSpec: _replica_set,
    Job: _job,
    CronJobSpec: _cron_job,
    PodFailurePolicyOnPodConditionsPattern: _conditions_pattern,
}
