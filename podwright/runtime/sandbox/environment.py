"""What the steps of a sandbox's life share: the other services, the settings and the records."""

from __future__ import annotations

import msgspec

from podwright.linux.selinux import Contexts
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.network import NetworkService
from podwright.runtime.sandbox import host_parts
from podwright.runtime.sandbox.first_process import FirstProcesses
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.paths import SandboxPaths, sandbox_paths
from podwright.runtime.sandbox.userns import UserNamespaces
from podwright.runtime.state import Store


class SandboxEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Made once by the engine."""

    state: str
    shm_size_bytes: int
    store: Store[Sandbox]
    handlers: Handlers
    network: NetworkService
    first_processes: FirstProcesses
    parents: Parents
    users: UserNamespaces
    selinux: Contexts | None = None  # see HostAbilities
    life: LifeCycles

    def paths(self, sandbox_id: SandboxId) -> SandboxPaths:
        """The sandbox's paths on the host."""
        return sandbox_paths(self.state, sandbox_id)

    def pins(self, sandbox: Sandbox) -> dict[str, str]:
        """The sandbox's own namespaces: kind ("net", "ipc", "uts", "user") to path."""
        return host_parts.pinned_paths(sandbox.config, self.paths(sandbox.id))
