"""The paths of the logs of pods and containers, on which tools rely. Pure."""

from __future__ import annotations

import os

from podwright.agent.pods.places import log_directory
from podwright.k8s.objects import Pod

LINKS = "containers"


def pod_log_directory(log_root: str, pod: Pod) -> str:
    """`<log root>/<namespace>_<name>_<UID>`. Raises InvalidArgument for parts that cannot be in a path."""
    metadata = pod.metadata
    return log_directory(log_root, metadata.namespace, metadata.name, metadata.uid)


def links_directory(log_root: str) -> str:
    """The directory of links to logs that name their pods: beside the log root, as log collectors expect."""
    return os.path.join(os.path.dirname(log_root.rstrip("/")), LINKS)


def log_path(container: str, attempt: int) -> str:
    """The log's path relative to the pod's log directory, as CRI requires."""
    return f"{container}/{attempt}.log"
