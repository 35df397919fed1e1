"""Pod sandboxes: run and look up, and the steps by which `pods` stops and removes them.

A repeated request joins the first one. The rules are those of the native engine's `sandbox.service`. The steps are in
`sandbox_steps`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.errors import InvalidArgument
from podwright.linux import namespaces
from podwright.runtime.engines.docker import refusals, sandbox_steps
from podwright.runtime.engines.docker.host import ListedContainer
from podwright.runtime.engines.docker.sandbox_steps import EngineSandboxEnvironment
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxState
from podwright.runtime.sandbox import validate
from podwright.runtime.sandbox.document import document
from podwright.runtime.sandbox.requests import SandboxRequests

log = logging.getLogger(__name__)


class EngineSandboxes(SandboxRequests):
    """All sandboxes of the daemon."""

    def __init__(self, env: EngineSandboxEnvironment) -> None:
        """`recover` must run before any other call."""
        super().__init__(env)
        self._env = env

    async def run(self, config: SandboxConfig, handler: str) -> SandboxId:
        """Run a sandbox and return when it is READY. A repeated request joins the first one or returns its sandbox.

        Raises InvalidArgument, AlreadyExists (a different or stopped sandbox has the name), FailedPrecondition, and
        what the network and the Engine raise. A failure leaves nothing behind.
        """
        validate.check(config)
        chosen = self.handler(handler)
        refusals.check_sandbox(config, self._env.host.facts.security)
        return await self._run_once(config, chosen, handler)

    async def _build(self, sandbox: Sandbox) -> None:
        await sandbox_steps.build(self._env, sandbox)

    async def _undo(self, sandbox: Sandbox) -> None:
        await sandbox_steps.undo(self._env, sandbox)

    def handler(self, requested: str) -> str:
        """The Engine's runtime for CRI's runtime handler. Raises InvalidArgument for one that it has not."""
        facts = self._env.host.facts
        if not requested:
            return facts.default_runtime
        if requested not in facts.runtimes:
            raise InvalidArgument(
                f"runtime handler {requested!r} is not a runtime of the Docker Engine",
                hint=f"it has {', '.join(facts.runtimes)}; add others to `runtimes` in its daemon.json",
            )
        return requested

    # -- steps for `pods`

    async def tear_down(self, sandbox: Sandbox) -> None:
        """Remove its parts except its files. Absent parts are skipped."""
        await sandbox_steps.tear_down(self._env, sandbox)

    async def forget(self, sandbox_id: SandboxId) -> None:
        """Delete the files and the record of a sandbox that is torn down and has no containers."""
        await sandbox_steps.forget(self._env, self._store.get(sandbox_id))
        log.info("sandbox is removed: id=%s", sandbox_id[:12])

    def is_whole(self, sandbox_id: SandboxId) -> bool:
        """Whether it is READY and all its parts exist."""
        sandbox = self._store.get(sandbox_id)
        return sandbox.state is SandboxState.READY and (not sandbox.netns or namespaces.is_pinned(sandbox.netns))

    def note_lost(self, sandbox_id: SandboxId) -> None:
        """Set a READY sandbox to NOTREADY, because its first process or its network has gone."""
        sandbox = self._store.find(sandbox_id)
        if sandbox is not None and sandbox.state is SandboxState.READY:
            log.warning("sandbox is not ready, its first process ended: id=%s", sandbox.id[:12])
            self._store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))

    async def rebuild(self, sandbox_id: SandboxId) -> None:
        """Make it again under its id. Raises what RunPodSandbox raises. After a failure it is NOTREADY."""
        sandbox = self._store.get(sandbox_id)
        await sandbox_steps.tear_down(self._env, sandbox)
        await sandbox_steps.clear(self._env, sandbox)
        try:
            await sandbox_steps.build(self._env, self._store.get(sandbox_id))
        except BaseException:
            await asyncio.shield(sandbox_steps.tear_down(self._env, self._store.get(sandbox_id)))
            raise

    # -- look-up

    def document(self, sandbox: Sandbox) -> dict[str, Any]:
        """The document for a verbose status."""
        pins = {"net": sandbox.netns} if sandbox.netns else {}
        return {**document(sandbox, pins), "engine": sandbox.process}

    # -- reconciliation

    async def recover(self, *, rebooted: bool = False) -> None:  # noqa: ARG002 # the Engine knows
        """At start: undo incomplete sandboxes, and compare the others with the Engine."""
        await asyncio.to_thread(sandbox_steps.make_folder, self._env)
        creating = [sandbox for sandbox in self._store if sandbox.state is SandboxState.CREATING]
        await asyncio.gather(*(sandbox_steps.undo(self._env, sandbox) for sandbox in creating))
        await self.compare(await self._env.host.ours())
        await self._env.network.recover([one.id for one in self._store if one.attachment is not None])
        await asyncio.to_thread(sandbox_steps.remove_unknown, self._env)  # last: CNI plugins need the namespaces

    async def compare(self, listed: Mapping[str, ListedContainer]) -> None:
        """Note the sandboxes whose first process does not run in the Engine any longer. Raises as EngineHost does."""
        for sandbox in self._store:
            if sandbox.state is not SandboxState.READY:
                continue
            found = listed.get(sandbox.id)
            if found is None or not found.runs:  # or the list is older than the sandbox
                state = await self._env.host.inspect(sandbox.id)
                if state is None or not state.runs:
                    self.note_lost(sandbox.id)
            elif not self.is_whole(sandbox.id):
                self.note_lost(sandbox.id)

    async def close(self, timeout_s: float) -> None:
        """Wait for jobs in progress, then cancel and undo them. Sandboxes stay."""
        await self._runs.settle(timeout_s)
        if not len(self._store):
            with contextlib.suppress(OSError):  # another program has processes in it
                await self._env.parents.remove_base()
