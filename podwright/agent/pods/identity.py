"""Who a pod is, where it comes from, and the labels and annotations by which its things are known at the runtime.

The names are the kubelet's (pkg/kubelet/types), so that its tools show our pods, and an agent that takes over from a
kubelet knows the pods that it finds.
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
    """`name_namespace`: unique among pods that exist at one time. It joins a static pod and its mirror."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}"


def described(pod: Pod) -> str:
    """A pod in messages, as the kubelet writes it: name_namespace(UID)."""
    return f"{full_name(pod)}({pod.metadata.uid})"


def source_of(pod: Pod) -> str:
    """`file`, `http` or `api`. Empty for a pod that no source has named."""
    return pod.metadata.annotations.get(CONFIG_SOURCE, "")


def is_static(pod: Pod) -> bool:
    """Whether the pod comes from a file or a URL."""
    return source_of(pod) not in ("", "api")


def is_mirror(pod: Pod) -> bool:
    """Whether the pod is what the API shows of a static pod."""
    return CONFIG_MIRROR in pod.metadata.annotations


def is_critical(pod: Pod) -> bool:
    """Whether the node keeps this pod before others: static, mirror, and system-critical ones."""
    return is_static(pod) or is_mirror(pod) or (pod.spec.priority or 0) >= SYSTEM_CRITICAL_PRIORITY


def is_of_run(uid: str) -> bool:
    """Whether the pod with this UID is one of `podwright run`, which looks after its pods by itself."""
    return uid.startswith(RUN_UID_PREFIX)


def is_sidecar(container: Container) -> bool:
    """Whether an init container runs beside the regular ones (restartPolicy Always)."""
    return container.restart_policy == "Always"


def identity_labels(pod: Pod) -> dict[str, str]:
    """The labels that every sandbox and container of the pod carries."""
    metadata = pod.metadata
    return {POD_NAME: metadata.name, POD_NAMESPACE: metadata.namespace, POD_UID: metadata.uid}
