"""Where the logs of pods and containers are. Tools look for these paths. Pure."""

from __future__ import annotations

import os

from podwright.k8s.objects import Pod

LINKS = "containers"


def pod_log_directory(log_root: str, pod: Pod) -> str:
    """`<log root>/<namespace>_<name>_<UID>`."""
    metadata = pod.metadata
    return f"{log_root}/{metadata.namespace}_{metadata.name}_{metadata.uid}"


def links_directory(log_root: str) -> str:
    """Where links to logs are that name their pods: beside the log root, as log collectors expect them."""
    return os.path.join(os.path.dirname(log_root.rstrip("/")), LINKS)


def log_path(container: str, attempt: int) -> str:
    """Relative to the pod's log directory, as CRI wants it."""
    return f"{container}/{attempt}.log"
