"""The directories that a pod has on this machine.

The layout is the kubelet's, because CSI drivers and tools rely on it.
"""

from __future__ import annotations

from podwright.agent.pods.places import pod_directory
from podwright.agent.volumes.places import PLUGINS, VOLUMES
from podwright.linux.directories import ensure_directory

POD_MODE, LOG_MODE = 0o750, 0o755


def make_pod_directories(root: str, uid: str) -> None:
    """Make the directories that every pod has.

    Raises OSError, and InvalidArgument for a UID that cannot be in a path.
    """
    directory = pod_directory(root, uid)
    for path in (directory, f"{directory}/{VOLUMES}", f"{directory}/{PLUGINS}"):
        ensure_directory(path, POD_MODE)


def make_log_directory(path: str) -> None:
    """Make the directory for the logs of the pod's containers. Raises OSError."""
    if path:
        ensure_directory(path, LOG_MODE)
