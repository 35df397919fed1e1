"""Where the logs of pods and containers are. Tools look for these paths. Pure."""

from __future__ import annotations

from podwright.k8s.objects import Pod


def pod_log_directory(log_root: str, pod: Pod) -> str:
    """`<log root>/<namespace>_<name>_<UID>`."""
    metadata = pod.metadata
    return f"{log_root}/{metadata.namespace}_{metadata.name}_{metadata.uid}"


def log_path(container: str, attempt: int) -> str:
    """Relative to the pod's log directory, as CRI wants it."""
    return f"{container}/{attempt}.log"
