"""Rules for pods with pod-level resources, of which containers get parts (the gate PodLevelResourceManagers). Pure.

Such a pod gets its CPUs and memory at once. A container that is guaranteed by itself has its part exclusively, and all
others share the rest. Rules: KEP-5526 and validatePodScopeResources in pkg/kubelet/cm of Kubernetes 1.36.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.resources import pod_level_limits, pod_level_requests
from podwright.k8s.objects import Container, Pod
from podwright.k8s.quantity import parse_nano

EMPTY_SHARED_POOL = "EmptyPodSharedPoolError"
GATE = "PodLevelResourceManagers"
_WORDS = {"cpu": "cpus"}
Amounts = Mapping[str, int]


def is_one(pod: Pod) -> bool:
    """Whether the pod has pod-level resources."""
    return bool(pod_level_requests(pod.spec) or pod_level_limits(pod.spec))


def is_guaranteed_alone(container: Container) -> bool:
    """Whether a pod with only this container would be guaranteed."""
    requests, limits = container.resources.requests, container.resources.limits
    asked = {name: parse_nano(requests.get(name, "0")) for name in ("cpu", "memory")}
    return all(nano > 0 and nano == parse_nano(limits.get(name, "0")) for name, nano in asked.items())


def check_shared_pool(pod: Pod, whole: Amounts, own: Callable[[Container], Amounts]) -> None:
    """Check that containers that share have something to share. `own` returns the exclusive part of a container.

    Raises NotAdmitted if exclusive parts take all of it.
    """
    taken: Counter[str] = Counter()
    are_sharing = False
    for container in pod.spec.init_containers:
        part = own(container)
        if is_sidecar(container):
            are_sharing = are_sharing or not part
            taken.update(part)
        elif not part and (kind := _used_up(whole, taken)):
            message = (
                f"pod rejected, pod has shared init containers but no {_WORDS.get(kind, kind)} available for them"
            )
            raise NotAdmitted(EMPTY_SHARED_POOL, message)
    for container in pod.spec.containers:
        part = own(container)
        are_sharing = are_sharing or not part
        taken.update(part)
    if are_sharing and (kind := _used_up(whole, taken)):
        raise NotAdmitted(
            EMPTY_SHARED_POOL,
            f"pod rejected, sum of exclusive container {kind} requests equals pod budget, leaving no "
            f"{_WORDS.get(kind, 'memory')} for shared containers",
        )


def _used_up(whole: Amounts, taken: Amounts) -> str:
    """The first kind of which nothing is left, or an empty text."""
    return next((kind for kind, amount in whole.items() if taken.get(kind, 0) >= amount), "")
