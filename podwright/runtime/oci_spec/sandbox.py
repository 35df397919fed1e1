"""The OCI spec of a pod's first process. Pure.

That process holds the PID namespace that the pod's containers share, and does nothing else. It has an empty read-only
root, no capabilities and no network access of its own. It runs as the sandbox's user, or as nobody. Its handler adds
the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.linux.selinux import Contexts
from podwright.runtime.model.base import NOBODY, host_id
from podwright.runtime.model.sandbox import Sandbox, SandboxSecurity
from podwright.runtime.oci_spec.idmaps import oci_mappings
from podwright.runtime.oci_spec.names import NAMESPACE_TYPES, OCI_VERSION, sandbox_annotations

PROC = {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}
# Runtimes create devices in /dev. They cannot in the shared root: it does not belong to a pod's own users, and /run,
# where it lies, is mounted with nodev: runc, which opens the new /dev/null, fails there.
DEV = {
    "destination": "/dev",
    "type": "tmpfs",
    "source": "tmpfs",
    "options": ["nosuid", "noexec", "mode=755", "size=64k"],
}


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """The OCI seccomp section and the name of an AppArmor profile. None and "" mean unconfined."""

    seccomp: dict[str, Any] | None = None
    apparmor_profile: str = ""


def spec(
    sandbox: Sandbox,
    *,
    pins: dict[str, str],
    cgroups_path: str,
    oom_score_adj: int,
    confinement: Confinement,
    labels: Contexts | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The OCI spec. `pins` are the sandbox's namespaces by kind. `labels` are its own on a host with SELinux.

    `annotations` are further ones for the runtime.
    """
    namespaces = [{"type": "mount"}, {"type": "pid"}]
    namespaces += [{"type": NAMESPACE_TYPES[kind], "path": path} for kind, path in sorted(pins.items())]
    user = sandbox.config.security.namespaces.own_user
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "user": _user(sandbox.config.security),
            "args": ["/pause"],
            "cwd": "/",
            "noNewPrivileges": True,
            "oomScoreAdj": oom_score_adj,
            **({"selinuxLabel": str(labels.process)} if labels else {}),
            **({"apparmorProfile": confinement.apparmor_profile} if confinement.apparmor_profile else {}),
        },
        "mounts": [PROC, DEV],
        "linux": {
            "cgroupsPath": cgroups_path,
            "namespaces": namespaces,
            **(oci_mappings(user) if user else {}),
            **({"mountLabel": str(labels.file)} if labels else {}),
            **({"seccomp": confinement.seccomp} if confinement.seccomp else {}),
            "resources": {"cpu": {"shares": 2}, "devices": [{"allow": False, "access": "rwm"}]},
        },
        "annotations": {**(annotations or {}), **sandbox_annotations(sandbox)},
    }


def _user(security: SandboxSecurity) -> dict[str, Any]:
    """The requested user, otherwise nobody if mapped, otherwise the pod's root, who is unprivileged on the host."""
    groups = list(security.supplemental_groups)
    if security.run_as_user is not None:
        return {"uid": security.run_as_user, "gid": security.run_as_group or 0, "additionalGids": groups}
    user = security.namespaces.own_user
    is_mapped = user is None or None not in (host_id(user.uids, NOBODY), host_id(user.gids, NOBODY))
    number = NOBODY if is_mapped else 0
    return {"uid": number, "gid": number, "additionalGids": groups}
