"""What all our OCI specs share: the version, the names of namespaces, and annotations that other tools read."""

from __future__ import annotations

from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import ContainerConfig
from podwright.runtime.model.sandbox import Sandbox

# The lowest version with every field used here. crun before 1.9 rejects specs of version 1.1.
OCI_VERSION = "1.0.2"
# The kinds of namespaces that a sandbox pins -> their OCI types.
NAMESPACE_TYPES = {"net": "network", "ipc": "ipc", "uts": "uts", "user": "user"}
PREFIX = "io.kubernetes.cri."  # containerd's keys, which other runtimes use as well


def sandbox_annotations(sandbox: Sandbox) -> dict[str, str]:
    """Whose pod this is, and how large: shims of virtual machines size the machine by it."""
    log_directory = sandbox.config.log_directory
    return {
        f"{PREFIX}container-type": "sandbox",
        **_pod(sandbox),
        **_sizes(sandbox.resources or sandbox.config.resources),
        **({f"{PREFIX}sandbox-log-directory": log_directory} if log_directory else {}),
    }


def _sizes(resources: Resources | None) -> dict[str, str]:
    """The sum of the pod's containers, where the kubelet gives it (containerd, internal/cri/annotations)."""
    if resources is None:
        return {}
    sizes = {
        "sandbox-cpu-period": resources.cpu_period,
        "sandbox-cpu-quota": resources.cpu_quota,
        "sandbox-cpu-shares": resources.cpu_shares,
        "sandbox-memory": resources.memory_limit_bytes,
    }
    return {f"{PREFIX}{name}": str(value) for name, value in sizes.items() if value}


def container_annotations(sandbox: Sandbox, config: ContainerConfig) -> dict[str, str]:
    """Annotations that identify the container."""
    return {
        f"{PREFIX}container-type": "container",
        f"{PREFIX}container-name": config.name,
        f"{PREFIX}image-name": config.image.user_specified_image or config.image.image,
        **_pod(sandbox),
    }


def _pod(sandbox: Sandbox) -> dict[str, str]:
    name = sandbox.config.name
    return {
        f"{PREFIX}sandbox-id": sandbox.id,
        f"{PREFIX}sandbox-name": name.name,
        f"{PREFIX}sandbox-namespace": name.namespace,
        f"{PREFIX}sandbox-uid": name.uid,
    }
