"""The names and labels by which our containers are found again in the Engine. Pure.

A container's name in the Engine is its id in CRI, so that it is found by one call whatever was recorded, and
`docker inspect ID` works with the id that Kubernetes shows. The pod's names are labels.
"""

from __future__ import annotations

from podwright.runtime.model.container import ContainerConfig
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import SandboxConfig

ROOT = "io.podwright.root"  # the root of the daemon that made it: several may use one Engine
KIND = "io.podwright.kind"
SANDBOX_ID = "io.podwright.sandbox"
SANDBOX, CONTAINER = "sandbox", "container"
POD = "io.kubernetes.pod."
NAME = "io.kubernetes.container.name"


def of_sandbox(root: str, config: SandboxConfig) -> dict[str, str]:
    """The labels of a sandbox."""
    return {**config.labels, **_pod(config), NAME: "POD", ROOT: root, KIND: SANDBOX}


def of_container(root: str, sandbox_id: SandboxId, pod: SandboxConfig, config: ContainerConfig) -> dict[str, str]:
    """The labels of a container of a pod."""
    return {**config.labels, **_pod(pod), NAME: config.name, ROOT: root, KIND: CONTAINER, SANDBOX_ID: sandbox_id}


def _pod(config: SandboxConfig) -> dict[str, str]:
    name = config.name
    return {f"{POD}name": name.name, f"{POD}namespace": name.namespace, f"{POD}uid": name.uid}
