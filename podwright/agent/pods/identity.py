"""A pod's identity: names, source, and the labels and annotations of its sandboxes and containers.

The keys are the kubelet's (pkg/kubelet/types), so that tools show our pods, and an agent recognises the pods of a
kubelet before it.
"""

from __future__ import annotations

from podwright.k8s.objects import Container, Pod

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

CONTAINER_HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
PRE_STOP_HANDLER = "io.kubernetes.container.preStopHandler"
CONTAINER_PORTS = "io.kubernetes.container.ports"
POD_GRACE = "io.kubernetes.pod.terminationGracePeriod"
POD_DELETION_GRACE = "io.kubernetes.pod.deletionGracePeriod"

CONFIG_SOURCE = "kubernetes.io/config.source"
CONFIG_HASH = "kubernetes.io/config.hash"
CONFIG_MIRROR = "kubernetes.io/config.mirror"
CONFIG_SEEN = "kubernetes.io/config.seen"
RUN_UID_PREFIX = "run-"
LOCAL_ANNOTATIONS = frozenset({CONFIG_SOURCE, CONFIG_HASH, CONFIG_MIRROR, CONFIG_SEEN})

SYSTEM_CRITICAL_PRIORITY = 2_000_000_000


def full_name(pod: Pod) -> str:
    """`name_namespace`: unique among pods at one time, and the same for a static pod and its mirror."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}"


def described(pod: Pod) -> str:
    """The pod in messages, in the kubelet's format: name_namespace(UID)."""
    return f"{full_name(pod)}({pod.metadata.uid})"


def source_of(pod: Pod) -> str:
    """`file`, `http` or `api`. Empty for a pod that no source has named."""
    return pod.metadata.annotations.get(CONFIG_SOURCE, "")


def is_static(pod: Pod) -> bool:
    """Whether the pod comes from a file or a URL."""
    return source_of(pod) not in ("", "api")


def is_mirror(pod: Pod) -> bool:
    """Whether the pod is the mirror of a static pod."""
    return CONFIG_MIRROR in pod.metadata.annotations


def is_critical(pod: Pod) -> bool:
    """Whether the pod has priority on the node: static, mirror, and system-critical pods."""
    return is_static(pod) or is_mirror(pod) or (pod.spec.priority or 0) >= SYSTEM_CRITICAL_PRIORITY


def is_of_run(uid: str) -> bool:
    """Whether the pod with this UID belongs to a `podwright run`, which syncs its own pods."""
    return uid.startswith(RUN_UID_PREFIX)


def is_sidecar(container: Container) -> bool:
    """Whether an init container is a sidecar (restartPolicy Always)."""
    return container.restart_policy == "Always"


def identity_labels(pod: Pod) -> dict[str, str]:
    """The labels that every sandbox and container of the pod carries."""
    metadata = pod.metadata
    return {POD_NAME: metadata.name, POD_NAMESPACE: metadata.namespace, POD_UID: metadata.uid}
