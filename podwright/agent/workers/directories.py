"""The directories that a pod has on this machine. The layout is the kubelet's, since CSI drivers and tools know it."""

from __future__ import annotations

import os

POD_MODE, LOG_MODE = 0o750, 0o755


def pod_directory(root: str, uid: str) -> str:
    """`<root>/pods/<UID>`."""
    return f"{root}/pods/{uid}"


def make_pod_directories(root: str, uid: str) -> None:
    """Those that every pod has. Raises OSError."""
    directory = pod_directory(root, uid)
    for path in (directory, f"{directory}/volumes", f"{directory}/plugins"):
        os.makedirs(path, mode=POD_MODE, exist_ok=True)


def make_log_directory(path: str) -> None:
    """Where the runtime writes the logs of the pod's containers. Raises OSError."""
    if path:
        os.makedirs(path, mode=LOG_MODE, exist_ok=True)
