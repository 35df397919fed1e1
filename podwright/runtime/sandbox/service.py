"""The sandbox service: runs and looks up pod sandboxes, and does the steps by which `pods` stops and removes them.

A repeated request joins the first one. The steps themselves are in `building`.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from podwright.linux.selinux import free_level
from podwright.runtime.handlers.protocol import Handler
from podwright.runtime.model.base import Resources
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName
from podwright.runtime.sandbox import rebuilding, recovery, validate
from podwright.runtime.sandbox.building import Builder
from podwright.runtime.sandbox.document import document
from podwright.runtime.sandbox.environment import SandboxEnvironment
from podwright.runtime.sandbox.paths import SandboxPaths
from podwright.runtime.sandbox.requests import SandboxRequests, key
from podwright.runtime.sandbox.userns import UserNamespaces

log = logging.getLogger(__name__)


class SandboxService(SandboxRequests):
    """All sandboxes of the daemon."""

    def __init__(self, env: SandboxEnvironment) -> None:
        """`recover` must run before any other call."""
        super().__init__(env)
        self._env = env
        self._builder = Builder(env)

    async def run(self, config: SandboxConfig, handler: str) -> SandboxId:
        """Run a sandbox and return when it is READY.

        A repeated request joins the first one or returns its sandbox. Raises InvalidArgument, AlreadyExists (a
        different or stopped sandbox has the name), FailedPrecondition, and what the network raises. A failure leaves
        nothing behind.
        """
        validate.check(config)
        chosen = self.handler(handler).name
        return await self._run_once(config, chosen, handler)

    async def _build(self, sandbox: Sandbox) -> None:
        async with self._env.life.held():
            await self._builder.build(sandbox)

    async def _undo(self, sandbox: Sandbox) -> None:
        await self._builder.undo(sandbox)

    def _selinux_level(self, sandbox_id: SandboxId) -> str:
        """A level that no other pod has. Empty on a host without SELinux."""
        if self._env.selinux is None:
            return ""
        return free_level(int(sandbox_id[:16], 16), frozenset(other.selinux_level for other in self._store))

    # -- steps for `pods`

    async def tear_down(self, sandbox: Sandbox) -> None:
        """Remove its parts except its files. Absent parts are skipped."""
        await self._builder.tear_down(sandbox)

    async def forget(self, sandbox_id: SandboxId) -> None:
        """Delete the files and the record of a sandbox that is torn down and has no containers."""
        await self._builder.forget(self._store.get(sandbox_id))
        log.info("sandbox is removed: id=%s", sandbox_id[:12])

    def is_whole(self, sandbox_id: SandboxId) -> bool:
        """Whether it is READY and all its parts exist."""
        return rebuilding.is_whole(self._env, self._store.get(sandbox_id))

    def note_lost(self, sandbox_id: SandboxId) -> None:
        """As `rebuilding.note_lost`."""
        rebuilding.note_lost(self._env, self._store.get(sandbox_id))

    async def rebuild(self, sandbox_id: SandboxId) -> None:
        """As `rebuilding.rebuild`."""
        await rebuilding.rebuild(self._env, self._builder, self._store.get(sandbox_id))

    # -- for containers

    def pins(self, sandbox: Sandbox) -> dict[str, str]:
        """Its own namespaces: kind ("net", "ipc", "uts", "user") to path."""
        return self._env.pins(sandbox)

    def paths(self, sandbox_id: SandboxId) -> SandboxPaths:
        """Its paths on the host."""
        return self._env.paths(sandbox_id)

    async def share_pid_namespace(self, sandbox_id: SandboxId) -> int:
        """The PID of the first process of its shared PID namespace, started if necessary.

        0 if it has no PID on the host.
        """
        return await self._builder.share_pid_namespace(sandbox_id)

    @property
    def users(self) -> UserNamespaces:
        """What the daemon can do about user namespaces."""
        return self._env.users

    # -- look-up

    def document(self, sandbox: Sandbox) -> dict[str, Any]:
        """The document for a verbose status."""
        return document(sandbox, self.pins(sandbox))

    def record(self, sandbox_id: SandboxId) -> Sandbox:
        """A sandbox, including one that clients do not see yet. Raises NotFound."""
        return self._store.get(sandbox_id)

    async def note_resources(
        self, sandbox_id: str, *, overhead: Resources | None, resources: Resources | None
    ) -> Sandbox:
        """The same, and listeners of the life cycle are asked. Raises what they raise too."""
        life = self._env.life
        async with life.held():
            if life:
                await life.update_sandbox(self.get(sandbox_id), overhead, resources)
            changed = await super().note_resources(sandbox_id, overhead=overhead, resources=resources)
            if life:
                await life.sandbox_updated(changed)
            return changed

    def named(self, name: SandboxName) -> Sandbox | None:
        """The sandbox with that name and attempt, including one that clients do not see yet."""
        return self._store.named(key(name))

    def handler(self, requested: str) -> Handler:
        """The handler that a request names, or the default one for "". Raises InvalidArgument."""
        return self._env.handlers.get(requested)

    async def recover(self, *, rebooted: bool = False) -> None:
        """At start, before the containers: see `recovery`."""
        await recovery.recover(self._env, self._builder, rebooted=rebooted)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Sandboxes stay.

        Removes the base cgroup if we made it and it is empty.
        """
        await self._runs.settle(timeout_s)
        await self._builder.close(timeout_s)
        if not len(self._store):
            with contextlib.suppress(OSError):  # another program has processes in it
                await self._env.parents.remove_base()
