"""Fields that a run on one machine cannot honour, each with the consequence. Pure.

Only fields that the file sets are named, not defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podwright.k8s.codec import to_document
from podwright.k8s.objects.base import Kind

_SCHEDULER = "there is no scheduler, every pod runs on this machine"
_ROLLOUT = "a run starts its pods once and does not roll out changes"
_CONTROLLER = "nothing watches the object after the run has started"
_API = "there is no API server"

POD_SPEC: dict[str, str] = {
    "nodeSelector": _SCHEDULER,
    "nodeName": _SCHEDULER,
    "affinity": _SCHEDULER,
    "topologySpreadConstraints": _SCHEDULER,
    "schedulerName": _SCHEDULER,
    "schedulingGates": _SCHEDULER,
    "schedulingGroup": _SCHEDULER,
    "priorityClassName": f"{_SCHEDULER} at once",
    "preemptionPolicy": _SCHEDULER,
    "serviceAccountName": f"{_API} that a token would be good for",
    "serviceAccount": f"{_API} that a token would be good for",
    "automountServiceAccountToken": f"{_API} that a token would be good for",
    "readinessGates": f"{_API} where anyone could set these conditions: the pod never becomes ready",
    "evictionResponders": "nothing here evicts pods",
    "resources": "a run makes no cgroups for pods as a whole: only what containers write themselves holds",
}
WORKLOAD_SPEC: dict[str, dict[str, str]] = {
    "Deployment": {
        "strategy": _ROLLOUT,
        "minReadySeconds": _ROLLOUT,
        "progressDeadlineSeconds": _ROLLOUT,
        "revisionHistoryLimit": _ROLLOUT,
        "paused": _ROLLOUT,
    },
    "ReplicaSet": {"minReadySeconds": _ROLLOUT},
    "DaemonSet": {"updateStrategy": _ROLLOUT, "minReadySeconds": _ROLLOUT, "revisionHistoryLimit": _ROLLOUT},
    "StatefulSet": {
        "updateStrategy": _ROLLOUT,
        "minReadySeconds": _ROLLOUT,
        "revisionHistoryLimit": _ROLLOUT,
        "persistentVolumeClaimRetentionPolicy": "the folders of claims are always kept",
    },
    "Job": {
        "podFailurePolicy": "every failure of a pod counts alike",
        "successPolicy": "every completion is needed",
        "ttlSecondsAfterFinished": "a run removes its pods at its end",
        "podReplacementPolicy": "failed pods are replaced once they have ended",
        "manualSelector": "pods are known by their names",
        "selector": "pods are known by their names",
        "managedBy": _CONTROLLER,
        "scheduling": _SCHEDULER,
    },
    "CronJob": {
        "concurrencyPolicy": "the job runs once",
        "startingDeadlineSeconds": "the job runs once, now",
        "timeZone": "the job runs once, now",
        "successfulJobsHistoryLimit": "the job runs once",
        "failedJobsHistoryLimit": "the job runs once",
    },
    "Service": {
        "externalIPs": "nothing here forwards connections to services",
        "externalName": "pods see only the services that lead to pods of these files",
        "loadBalancerIP": "nothing here forwards connections to services",
        "loadBalancerClass": "nothing here forwards connections to services",
        "loadBalancerSourceRanges": "nothing here forwards connections to services",
        "sessionAffinity": "a service leads to one pod only",
        "clusterIP": "a service has the address of a pod",
        "clusterIPs": "a service has the addresses of a pod",
    },
    "PersistentVolumeClaim": {
        "resources": "the folder of a claim has no limit of its own",
        "storageClassName": "a claim is a folder of this machine",
        "volumeAttributesClassName": "a claim is a folder of this machine",
        "selector": "a claim is bound by name only",
        "dataSource": "a new folder is empty",
        "dataSourceRef": "a new folder is empty",
    },
    "PersistentVolume": {
        "nodeAffinity": _SCHEDULER,
        "mountOptions": "a folder is not mounted anew",
        "persistentVolumeReclaimPolicy": "folders are always kept",
    },
}
# Values that change nothing.
QUIET: dict[str, tuple[object, ...]] = {
    "schedulerName": ("default-scheduler",),
    "serviceAccountName": ("default",),
    "serviceAccount": ("default",),
    "automountServiceAccountToken": (False,),
    "paused": (False,),
    "sessionAffinity": ("None",),
    "clusterIP": ("None",),
    "clusterIPs": (["None"],),
    "concurrencyPolicy": ("Forbid", "Allow"),
    "storageClassName": ("",),
    "persistentVolumeReclaimPolicy": ("Retain",),
    "persistentVolumeClaimRetentionPolicy": ({"whenDeleted": "Retain", "whenScaled": "Retain"},),
    "manualSelector": (False,),
}
_TEMPLATES = {
    "Pod": (),
    "Deployment": ("template",),
    "ReplicaSet": ("template",),
    "DaemonSet": ("template",),
    "StatefulSet": ("template",),
    "Job": ("template",),
    "CronJob": ("jobTemplate", "spec", "template"),
}


def losses(given: Kind) -> Iterator[tuple[str, str]]:
    """(field path, consequence) of each field that is set and not honoured."""
    kind = type(given).__name__
    spec: Mapping[str, Any] = to_document(given).get("spec") or {}
    yield from _named("spec", spec, WORKLOAD_SPEC.get(kind, {}))
    if kind == "CronJob":
        yield from _named("spec.jobTemplate.spec", _inner(spec, ("jobTemplate", "spec")), WORKLOAD_SPEC["Job"])
    if kind in _TEMPLATES:
        steps = _TEMPLATES[kind]
        inside = _inner(spec, (*steps, "spec")) if steps else spec
        path = ".".join(("spec", *steps, "spec")) if steps else "spec"
        yield from _named(path, inside, POD_SPEC)
        yield from _volumes(path, inside)
    if kind == "Service":
        yield from _service(spec)


def _inner(document: Mapping[str, Any], steps: tuple[str, ...]) -> Mapping[str, Any]:
    for step in steps:
        document = document.get(step) or {}
    return document


def _named(path: str, document: Mapping[str, Any], meanings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for field, meaning in meanings.items():
        if field in document and document[field] not in QUIET.get(field, ()):
            yield f"{path}.{field}", meaning


def _volumes(path: str, spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for index, volume in enumerate(spec.get("volumes") or ()):
        if "ephemeral" in volume:
            yield f"{path}.volumes[{index}].ephemeral", "it is an empty directory, without a limit of its own"
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if "serviceAccountToken" in source:
                where = f"{path}.volumes[{index}].projected.sources[{number}].serviceAccountToken"
                yield where, f"{_API} that makes tokens: the pod cannot start"


def _service(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if spec.get("type") in ("LoadBalancer", "NodePort"):
        yield "spec.type", "nothing here forwards connections from outside: give a container a hostPort"
    for index, port in enumerate(spec.get("ports") or ()):
        target = port.get("targetPort")
        if target is not None and target != port.get("port"):
            meaning = f"nothing here translates ports: connect to {target}, as the service's variables say"
            yield f"spec.ports[{index}].targetPort", meaning
