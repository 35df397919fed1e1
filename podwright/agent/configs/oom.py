"""The oom_score_adj of a container: in which order the kernel kills processes when memory runs out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.pods.containers import AnyContainer, is_init
from podwright.agent.pods.identity import is_critical, is_sidecar
from podwright.agent.pods.qos import qos_class
from podwright.agent.pods.resources import ZERO, pod_level_requests
from podwright.k8s.objects import Container, Pod
from podwright.k8s.pod_resources import aggregate_requests
from podwright.k8s.quantity import whole

GUARANTEED = -997
BEST_EFFORT = 1000
BURSTABLE_MIN = BEST_EFFORT + GUARANTEED  # 3: less protected than any guaranteed pod
NODE_CRITICAL = "system-node-critical"


def oom_score_adj(pod: Pod, container: AnyContainer, node_memory_bytes: int) -> int:
    """The value. The more memory a burstable container requests, the later it is killed."""
    if is_critical(pod) and pod.spec.priority_class_name == NODE_CRITICAL:
        return GUARANTEED
    qos = qos_class(pod)
    if qos != "Burstable":
        return GUARANTEED if qos == "Guaranteed" else BEST_EFFORT
    request = _memory(container.resources.requests)
    if isinstance(container, Container) and is_sidecar(container) and is_init(pod, container.name):
        # A sidecar must not be killed before the containers that it serves.
        request = max(request, min(_memory(regular.resources.requests) for regular in pod.spec.containers))
    request += _unassigned_per_container(pod)
    score = BEST_EFFORT - BEST_EFFORT * request // max(node_memory_bytes, 1)
    return BEST_EFFORT - 1 if score == BEST_EFFORT else max(score, BURSTABLE_MIN)


def _memory(requests: Mapping[str, str]) -> int:
    return whole(requests.get("memory", "0"))


def _unassigned_per_container(pod: Pod) -> int:
    """The part of the pod's own request that its containers do not request, divided among them."""
    requested = pod_level_requests(pod.spec).get("memory", ZERO).whole
    if not requested:
        return 0
    rest = requested - aggregate_requests(pod.spec).get("memory", ZERO).whole
    return rest // (len(pod.spec.containers) + len(pod.spec.init_containers))
