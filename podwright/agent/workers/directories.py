"""The directories that a pod has on this machine. The layout is the kubelet's, since CSI drivers and tools know it."""

from __future__ import annotations

import os

from podwright.agent.pods.places import pod_directory
from podwright.agent.volumes.places import PLUGINS, VOLUMES

POD_MODE, LOG_MODE = 0o750, 0o755


def make_pod_directories(root: str, uid: str) -> None:
    """Those that every pod has. Raises OSError, and InvalidArgument for a UID that cannot be a part of a path."""
    directory = pod_directory(root, uid)
    for path in (directory, f"{directory}/{VOLUMES}", f"{directory}/{PLUGINS}"):
        os.makedirs(path, mode=POD_MODE, exist_ok=True)


def make_log_directory(path: str) -> None:
    """Where the runtime writes the logs of the pod's containers. Raises OSError."""
    if path:
        os.makedirs(path, mode=LOG_MODE, exist_ok=True)
