"""The `runtimeSpec` of a verbose PodSandboxStatus. Pure.

containerd and CRI-O show the OCI spec of the pod's pause container there. Scripts read the path of the network
namespace from it: `.info.runtimeSpec.linux.namespaces[] | select(.type == "network") | .path`. Most of our pods have
no pause container, so this is the part of its spec that applies to the pod.
"""

from __future__ import annotations

from typing import Any

from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec.names import NAMESPACE_TYPES, OCI_VERSION, sandbox_annotations


def runtime_spec(sandbox: Sandbox, pins: dict[str, str]) -> dict[str, Any]:
    """The document. `pins` are the sandbox's namespaces by kind.

    As in OCI specs, the host's namespaces are left out.
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
