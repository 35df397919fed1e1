"""The least that a sandbox and a container can be made of."""

from __future__ import annotations

from podwright.agent.pods.identity import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID
from podwright.cri.v1 import api_pb2 as api

IMAGE = "app:1"


def sandbox_config(uid: str = "uid1", *, attempt: int = 0) -> api.PodSandboxConfig:
    """A pod named like its UID."""
    return api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name=uid, namespace="default", uid=uid, attempt=attempt),
        labels=labels(uid),
    )


def container_config(name: str = "main", uid: str = "uid1", *, attempt: int = 0) -> api.ContainerConfig:
    """A container of that pod."""
    return api.ContainerConfig(
        metadata=api.ContainerMetadata(name=name, attempt=attempt),
        image=api.ImageSpec(image=IMAGE),
        labels={**labels(uid), CONTAINER_NAME: name},
    )


def labels(uid: str) -> dict[str, str]:
    """The labels of the pod's things."""
    return {POD_NAME: uid, POD_NAMESPACE: "default", POD_UID: uid}
