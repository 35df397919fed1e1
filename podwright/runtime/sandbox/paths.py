"""A sandbox's paths on the host, all below the daemon's state directory."""

from __future__ import annotations

import msgspec

from podwright.runtime.model.ids import SandboxId


class SandboxPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of one sandbox."""

    directory: str

    @property
    def netns(self) -> str:
        """The pin of the network namespace."""
        return f"{self.directory}/netns"

    @property
    def ipcns(self) -> str:
        """The pin of the IPC namespace."""
        return f"{self.directory}/ipcns"

    @property
    def utsns(self) -> str:
        """The pin of the UTS namespace."""
        return f"{self.directory}/utsns"

    @property
    def userns(self) -> str:
        """The pin of the user namespace."""
        return f"{self.directory}/userns"

    @property
    def shm(self) -> str:
        """The tmpfs for /dev/shm of the pod's containers."""
        return f"{self.directory}/shm"

    @property
    def hostname(self) -> str:
        """/etc/hostname of the containers."""
        return f"{self.directory}/hostname"

    @property
    def hosts(self) -> str:
        """/etc/hosts of the containers, unless the kubelet mounts its own."""
        return f"{self.directory}/hosts"

    @property
    def resolv_conf(self) -> str:
        """/etc/resolv.conf of the containers."""
        return f"{self.directory}/resolv.conf"

    @property
    def infra(self) -> str:
        """The bundle of the first process of a shared PID namespace."""
        return f"{self.directory}/infra"


def sandbox_paths(state: str, sandbox_id: SandboxId) -> SandboxPaths:
    """The paths of a sandbox below the state directory."""
    return SandboxPaths(directory=f"{state}/sandboxes/{sandbox_id}")
