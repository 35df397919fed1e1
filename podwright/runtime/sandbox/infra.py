"""The infra container of a pod that shares its PID namespace: its spec, and the directory that is its root.

It is the first process of the namespace and nothing else: an empty read-only root, no capabilities, no network
access of its own; it runs as the sandbox's user, or as nobody. Pods that do not share their PID namespace have none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from podwright.errors import PodwrightError
from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.linux.selinux import Contexts
from podwright.runtime.handlers.cgroups import cgroup_directory, cgroups_path
from podwright.runtime.handlers.idmaps import oci_mappings
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.model.base import NOBODY, host_id
from podwright.runtime.model.sandbox import Sandbox, SandboxSecurity
from podwright.runtime.model.selinux import of_sandbox
from podwright.runtime.sandbox import pause
from podwright.runtime.sandbox.paths import SandboxPaths

log = logging.getLogger(__name__)

OCI_VERSION = "1.0.2"  # the lowest that has what we write: crun 1.8 refuses newer ones
PROC = {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}
# Runtimes put devices in the root's /dev; that of the root that is shared does not belong to a pod's own users.
DEV = {
    "destination": "/dev",
    "type": "tmpfs",
    "source": "tmpfs",
    "options": ["nosuid", "noexec", "mode=755", "size=64k"],
}
OCI_TYPES = {"net": "network", "ipc": "ipc", "uts": "uts", "user": "user"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """The OCI seccomp section and the name of a profile of AppArmor; None and "" are none."""

    seccomp: dict[str, Any] | None = None
    apparmor_profile: str = ""


Confine = Callable[[Sandbox], Awaitable[Confinement]]


def spec(
    sandbox: Sandbox,
    *,
    root: str,
    pins: dict[str, str],
    cgroups_path: str,
    oom_score_adj: int,
    confinement: Confinement,
    labels: Contexts | None = None,
) -> dict[str, Any]:
    """The OCI spec; `pins` are the sandbox's namespaces by kind, `labels` its own on a host with SELinux."""
    namespaces = [{"type": "mount"}, {"type": "pid"}]
    namespaces += [{"type": OCI_TYPES[kind], "path": path} for kind, path in sorted(pins.items())]
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
        "root": {"path": root, "readonly": True},
        "mounts": [PROC, *([DEV] if user else [])],
        "linux": {
            "cgroupsPath": cgroups_path,
            "namespaces": namespaces,
            **(oci_mappings(user) if user else {}),
            **({"mountLabel": str(labels.file)} if labels else {}),
            **({"seccomp": confinement.seccomp} if confinement.seccomp else {}),
            "resources": {"cpu": {"shares": 2}, "devices": [{"allow": False, "access": "rwm"}]},
        },
        "annotations": pod_annotations(sandbox),
    }


def pod_annotations(sandbox: Sandbox) -> dict[str, str]:
    """The annotations that tools beside us read: whose pod this is."""
    name = sandbox.config.name
    return {
        "io.kubernetes.cri.container-type": "sandbox",
        "io.kubernetes.cri.sandbox-id": sandbox.id,
        "io.kubernetes.cri.sandbox-name": name.name,
        "io.kubernetes.cri.sandbox-namespace": name.namespace,
        "io.kubernetes.cri.sandbox-uid": name.uid,
    }


def _user(security: SandboxSecurity) -> dict[str, Any]:
    """As asked for; else nobody where nobody is mapped, or the pod's root, who is nobody on the host."""
    groups = list(security.supplemental_groups)
    if security.run_as_user is not None:
        return {"uid": security.run_as_user, "gid": security.run_as_group or 0, "additionalGids": groups}
    user = security.namespaces.own_user
    is_mapped = user is None or None not in (host_id(user.uids, NOBODY), host_id(user.gids, NOBODY))
    number = NOBODY if is_mapped else 0
    return {"uid": number, "gid": number, "additionalGids": groups}


def write_bundle(paths: SandboxPaths, document: dict[str, Any]) -> None:
    """Put the bundle where the runtime will look for it. Raises OSError."""
    os.makedirs(paths.infra, mode=0o700, exist_ok=True)
    with open(f"{paths.infra}/config.json", "w", encoding="utf-8") as file:
        json.dump(document, file)


def make_root(root: str, machine: str) -> None:
    """The root that all infra containers share: the executable, and places for /proc and /dev. Raises OSError."""
    program = f"{root}/pause"
    if os.path.exists(program):
        return
    for mount_point in ("proc", "dev"):
        os.makedirs(f"{root}/{mount_point}", mode=0o755, exist_ok=True)
    os.chmod(root, 0o755)
    temporary = f"{program}.new"
    with open(temporary, "wb") as file:
        file.write(pause.executable(machine))
    os.chmod(temporary, 0o755)
    os.rename(temporary, program)


class InfraContainers:
    """Starts and deletes infra containers through the sandbox's handler."""

    def __init__(
        self,
        handlers: Handlers,
        cgroups: CgroupHost,
        *,
        root: str,
        machine: str,
        oom_score_adj: int,
        systemd: bool,
        confine: Confine,
        selinux: Contexts | None = None,
    ) -> None:
        """`root` is where the directory that they all have as root is made; `oom_score_adj` what they get.

        `confine` finds a pod's profiles, and `selinux` is what the host's policy gives containers.
        """
        self._handlers = handlers
        self._cgroups = cgroups
        self._root = root
        self._machine = machine
        self._oom_score_adj = oom_score_adj
        self._systemd = systemd
        self._selinux = selinux
        self._confine = confine

    async def start(self, sandbox: Sandbox, paths: SandboxPaths, pins: dict[str, str]) -> tuple[int, int]:
        """(PID, start time) of the new namespace's first process. Raises what the handler raises."""
        confinement = await self._confine(sandbox)
        make_root(self._root, self._machine)
        document = spec(
            sandbox,
            root=self._root,
            pins=pins,
            cgroups_path=cgroups_path(sandbox.cgroup_parent, sandbox.id, systemd=self._systemd),
            oom_score_adj=self._oom_score_adj,
            confinement=confinement,
            labels=of_sandbox(self._selinux, sandbox),
        )
        write_bundle(paths, document)
        pid = await self._handlers.get(sandbox.handler).run_detached(sandbox.id, paths.infra)
        return pid, proc.start_time(pid) or 0

    async def delete(self, sandbox: Sandbox) -> None:
        """Kill it and remove its state, also when the runtime fails; absent is fine."""
        handler = self._handlers.of_record(sandbox.handler)
        if not handler.knows(sandbox.id):
            return
        try:
            await handler.delete(sandbox.id)
        except PodwrightError as failure:
            log.warning("infra container is deleted without its runtime: id=%s error=%s", sandbox.id[:12], failure)
        directory = cgroup_directory(sandbox.cgroup_parent, sandbox.id, systemd=self._systemd)
        await asyncio.to_thread(cgroup.kill_all, self._cgroups, directory)
        cgroup.remove(self._cgroups, directory)
        handler.forget(sandbox.id)
