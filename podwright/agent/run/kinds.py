"""Decides which kinds `podwright run` reads, leaves out with a warning, or reports as faults. Pure."""

from __future__ import annotations

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
from podwright.k8s.problems import Problem, unsupported
from podwright.k8s.reading.documents import Document
from podwright.spelling import nearest

READ: dict[str, type[Kind]] = {
    cls.__name__: cls
    for cls in (
        Pod,
        Deployment,
        ReplicaSet,
        DaemonSet,
        StatefulSet,
        Job,
        CronJob,
        Service,
        ConfigMap,
        Secret,
        PersistentVolumeClaim,
        PersistentVolume,
    )
}
# Built-in kinds that are left out, and what is missing without them. An empty text: nothing.
LEFT_OUT: dict[str, str] = {
    "Namespace": "",
    "ServiceAccount": "there is no API server that its pods could talk to",
    "Role": "there is no API server whose access it could limit",
    "RoleBinding": "there is no API server whose access it could limit",
    "ClusterRole": "there is no API server whose access it could limit",
    "ClusterRoleBinding": "there is no API server whose access it could limit",
    "Ingress": "nothing here routes HTTP to pods",
    "IngressClass": "nothing here routes HTTP to pods",
    "NetworkPolicy": "pods can reach each other without limits",
    "HorizontalPodAutoscaler": "the number of replicas stays as it is written",
    "PodDisruptionBudget": "nothing here evicts pods for upkeep of nodes",
    "PriorityClass": "there is no scheduler, pods run at once",
    "StorageClass": "claims are folders of this machine",
    "ResourceQuota": "the sums of a namespace are not limited",
    "LimitRange": "containers have only the resources that they write themselves",
    "Endpoints": "services lead to the pods that their selectors match",
    "EndpointSlice": "services lead to the pods that their selectors match",
    "RuntimeClass": "pods get the runtime handler of the name that they write",
}
BUILT_IN_GROUPS = ("apps", "batch", "autoscaling", "policy", "k8s.io")


def fault_of_kind(document: Document) -> Problem | None:
    """Why a document is a fault. None for one that is read or left out."""
    kind, version = document.kind, document.api_version
    if not kind:
        return Problem(path="kind", message="Required value", hint=f"one of {', '.join(READ)}")
    if not _is_built_in(version) or kind in LEFT_OUT or is_read(document):
        return None
    if kind in READ:
        return unsupported("apiVersion", version, (READ[kind].API_VERSION,))
    near = nearest(kind, [*READ, *LEFT_OUT])
    hint = f"did you mean {near}?" if near else f"kinds that can: {', '.join(READ)}"
    return Problem(path="kind", message=f"{kind} cannot be run", hint=hint)


def is_read(document: Document) -> bool:
    """Whether the document is of a kind that `run` reads."""
    return document.kind in READ and document.api_version == READ[document.kind].API_VERSION


def loss_of(document: Document) -> str:
    """Say what is missing because a document of another kind is left out. Empty for nothing."""
    if not _is_built_in(document.api_version):
        return "its controller does not run here"
    return LEFT_OUT[document.kind]


def _is_built_in(api_version: str) -> bool:
    group, slash, _ = api_version.partition("/")
    return not slash or group in BUILT_IN_GROUPS or group.endswith(".k8s.io")
