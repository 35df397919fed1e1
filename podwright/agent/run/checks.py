"""Checks all objects together: references, clashes of names, and fields that are not honoured. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.agent.run.documents import LoadedObject, Objects
from podwright.agent.run.losses import losses
from podwright.agent.run.plan import RunPlan, foreseen
from podwright.agent.run.references import KnownObjects, missing_references
from podwright.agent.run.replicas import claim_names
from podwright.k8s.objects import (
    ConfigMap,
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    ReplicaSet,
    Secret,
    StatefulSet,
)
from podwright.k8s.objects.base import Kind
from podwright.k8s.problems import Problem


def template_of(value: Kind) -> tuple[str, PodSpec] | None:
    """The spec of an object's pods, and its field path. None for an object without pods."""
    match value:
        case Pod():
            return "spec", value.spec
        case Deployment() | ReplicaSet() | DaemonSet() | StatefulSet() | Job():
            return "spec.template.spec", value.spec.template.spec
        case CronJob():
            return "spec.jobTemplate.spec.template.spec", value.spec.job_template.spec.template.spec
        case _:
            return None


def claims_of(runnable: Iterable[LoadedObject]) -> Iterator[tuple[str, str]]:
    """(namespace, name) of every claim whose folder is needed."""
    seen: dict[tuple[str, str], None] = {}
    for each in runnable:
        namespace = each.metadata.namespace
        template = template_of(each.value)
        for volume in template[1].volumes if template is not None else ():
            if volume.persistent_volume_claim is not None:
                seen[namespace, volume.persistent_volume_claim.claim_name] = None
        if isinstance(each.value, StatefulSet):
            seen |= {(namespace, name): None for name in claim_names(each.value)}
    yield from seen


def missing_objects(objects: Objects, runnable: Iterable[LoadedObject]) -> Iterator[Problem]:
    """References to ConfigMaps and Secrets that lead nowhere."""
    known: dict[str, KnownObjects] = {}
    for each in runnable:
        namespace = each.metadata.namespace
        if namespace not in known:
            known[namespace] = KnownObjects(
                [item for item in objects.of(ConfigMap) if item.metadata.namespace == namespace],
                [item for item in objects.of(Secret) if item.metadata.namespace == namespace],
            )
        template = template_of(each.value)
        if template is not None:
            problems = missing_references(template[1], known[namespace], template[0])
            yield from (each.place.locate(problem) for problem in problems)


def twin_pods(plan: RunPlan) -> Iterator[Problem]:
    """Pods with the same name: a Pod that is named like a StatefulSet's."""
    known: dict[tuple[str, str], str] = {}
    for workload in plan.workloads:
        for pod in foreseen(workload):
            key = (pod.metadata.namespace, pod.metadata.name)
            if key in known:
                message = f"pod {key[0]}/{key[1]} is also one of {known[key]}"
                yield Problem(path=workload.owner, message=message, hint="rename one of the two")
            known[key] = workload.owner


def warnings_of(objects: Objects, *, now: bool) -> Iterator[str]:
    """Warnings about everything that is left out or done differently, in the files' order."""
    yield from objects.warnings
    for each in objects.loaded:
        for path, meaning in losses(each.given):
            yield f"{each.place.label}: {path} is not honoured: {meaning}"
        if isinstance(each.value, CronJob):
            schedule = each.value.spec.schedule
            yield f"{each.place.label}: spec.schedule {schedule!r} is not kept: " + (
                "its job runs once, now" if now else "it is left out (--now runs its job once)"
            )
        if isinstance(each.value, Job) and each.value.spec.suspend:
            yield f"{each.place.label}: spec.suspend: no pod is started, and nothing resumes it"
    yield from _unknown_claims(objects)


def _unknown_claims(objects: Objects) -> Iterator[str]:
    known = {(claim.metadata.namespace, claim.metadata.name) for claim in objects.of(PersistentVolumeClaim)}
    known |= {(each.metadata.namespace, name) for each in objects.of(StatefulSet) for name in claim_names(each)}
    for namespace, name in claims_of(objects.loaded):
        if (namespace, name) not in known:
            yield f"PersistentVolumeClaim {namespace}/{name} is not in the files: it gets a folder all the same"
