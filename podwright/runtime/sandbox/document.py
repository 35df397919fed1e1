"""The document of a verbose PodSandboxStatus. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec.names import NAMESPACE_TYPES, OCI_VERSION, sandbox_annotations


def document(sandbox: Sandbox, pins: dict[str, str]) -> dict[str, Any]:
    """JSON with the keys that crictl and other tools read. `pins` are the sandbox's namespaces by kind."""
    return {
        "pid": sandbox.pid,
        "handler": sandbox.handler,
        "netns": sandbox.netns,
        "namespaces": pins,
        "network": dict(sandbox.attachment.detail) if sandbox.attachment else {},
        "cgroupParent": sandbox.cgroup_parent,
        "config": msgspec.to_builtins(sandbox.config),
        "runtimeSpec": _runtime_spec(sandbox, pins),
        **_limits(sandbox),
    }


def _limits(sandbox: Sandbox) -> dict[str, Any]:
    """The limits of the pod as a whole: as last updated, otherwise as requested."""
    current = {
        "overhead": sandbox.overhead or sandbox.config.overhead,
        "resources": sandbox.resources or sandbox.config.resources,
    }
    return {name: msgspec.to_builtins(value) for name, value in current.items() if value is not None}


def _runtime_spec(sandbox: Sandbox, pins: dict[str, str]) -> dict[str, Any]:
    """The part of an OCI spec that applies to the pod. The host's namespaces are left out, as in all OCI specs.

    containerd and CRI-O show the spec of the pod's pause container there, and most of our pods have none. Scripts read
    the path of the network namespace from it: `.linux.namespaces[] | select(.type == "network") | .path`.
    """
    namespaces = [{"type": NAMESPACE_TYPES[kind], "path": path} for kind, path in sorted(pins.items())]
    if sandbox.pid:
        namespaces.append({"type": "pid", "path": f"/proc/{sandbox.pid}/ns/pid"})
    return {
        "ociVersion": OCI_VERSION,
        "hostname": sandbox.config.hostname,
        "annotations": sandbox_annotations(sandbox),
        "linux": {
            "sysctl": dict(sandbox.config.sysctls),
            "cgroupsPath": sandbox.cgroup_parent,
            "namespaces": namespaces,
        },
    }
