"""Labels, annotations and metadata of sandboxes and containers: how anyone recognises a pod's things at the runtime.

The names are the kubelet's, so that its tools (crictl and the like) show our pods as they show its own.
"""

from __future__ import annotations

import json

import msgspec

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.orchestration.context import PodContext
from podwright.cri.v1 import api_pb2 as api

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193


def identity_labels(context: PodContext) -> dict[str, str]:
    """The three labels that every sandbox and container of the pod carries."""
    metadata = context.pod.metadata
    return {POD_NAME: metadata.name, POD_NAMESPACE: metadata.namespace, POD_UID: context.uid}


def sandbox_labels(context: PodContext) -> dict[str, str]:
    """The pod's own labels and the identity."""
    return {**context.pod.metadata.labels, **identity_labels(context)}


def container_labels(context: PodContext, container: Container) -> dict[str, str]:
    """The identity and the container's name."""
    return {**identity_labels(context), CONTAINER_NAME: container.name}


def sandbox_metadata(context: PodContext, attempt: int) -> api.PodSandboxMetadata:
    """What names a sandbox."""
    metadata = context.pod.metadata
    return api.PodSandboxMetadata(name=metadata.name, namespace=metadata.namespace, uid=context.uid, attempt=attempt)


def container_annotations(context: PodContext, container: Container, attempt: int) -> dict[str, str]:
    """What an agent without the manifest needs to end the container well."""
    prefix = "io.kubernetes.container."
    annotations = {
        f"{prefix}hash": f"{container_hash(container):x}",
        f"{prefix}restartCount": str(attempt),
        f"{prefix}terminationMessagePath": container.termination_message_path,
        f"{prefix}terminationMessagePolicy": container.termination_message_policy,
        "io.kubernetes.pod.terminationGracePeriod": str(context.pod.spec.termination_grace_period_seconds),
    }
    if container.ports:
        annotations[f"{prefix}ports"] = msgspec.json.encode(container.ports).decode()
    if container.lifecycle.pre_stop is not None:
        annotations[f"{prefix}preStopHandler"] = msgspec.json.encode(container.lifecycle.pre_stop).decode()
    return annotations


def container_hash(container: Container) -> int:
    """32-bit FNV-1a over the fields whose change makes another container of it: name and image."""
    value = _FNV_OFFSET
    for byte in json.dumps({"name": container.name, "image": container.image}, separators=(",", ":")).encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value
