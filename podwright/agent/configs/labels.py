"""Labels and annotations of sandboxes and containers.

With them an agent without the pod can end its containers. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.pods import identity
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.hashes import container_hash
from podwright.k8s import codec
from podwright.k8s.objects import Pod


def sandbox_labels(pod: Pod) -> dict[str, str]:
    """The pod's own labels and the identity."""
    return {**pod.metadata.labels, **identity.identity_labels(pod)}


def container_labels(pod: Pod, container: AnyContainer) -> dict[str, str]:
    """The identity and the container's name. Only sandboxes have the pod's own labels."""
    return {**identity.identity_labels(pod), identity.CONTAINER_NAME: container.name}


def container_annotations(
    pod: Pod, container: AnyContainer, attempt: int, allotted: Mapping[str, str]
) -> dict[str, str]:
    """The annotations by which an agent without the pod can recognise and end the container.

    `allotted` are annotations of device plug-ins.
    """
    annotations = {
        **allotted,
        identity.CONTAINER_HASH: container_hash(container),
        identity.RESTART_COUNT: str(attempt),
        identity.TERMINATION_MESSAGE_PATH: container.termination_message_path,
        identity.TERMINATION_MESSAGE_POLICY: container.termination_message_policy,
    }
    if pod.metadata.deletion_grace_period_seconds is not None:
        annotations[identity.POD_DELETION_GRACE] = str(pod.metadata.deletion_grace_period_seconds)
    if pod.spec.termination_grace_period_seconds is not None:
        annotations[identity.POD_GRACE] = str(pod.spec.termination_grace_period_seconds)
    if container.lifecycle is not None and container.lifecycle.pre_stop is not None:
        annotations[identity.PRE_STOP_HANDLER] = codec.encode(container.lifecycle.pre_stop).decode()
    if container.ports:
        ports = b",".join(codec.encode(port) for port in container.ports)
        annotations[identity.CONTAINER_PORTS] = f"[{ports.decode()}]"
    return annotations
