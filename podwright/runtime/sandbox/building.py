"""The steps that make a sandbox READY, and those that undo it. `service` decides when.

    CREATING --build--> READY --tear_down--> NOTREADY --forget--> (no record)

Every undo step accepts absent parts, so that failure, stop, removal and recovery share it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from podwright.errors import InvalidArgument, PodwrightError
from podwright.runtime.insisting import insist
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.network import NetworkRequest
from podwright.runtime.sandbox import host_parts
from podwright.runtime.sandbox.environment import SandboxEnvironment
from podwright.runtime.sandbox.paths import SandboxPaths
from podwright.runtime.sandbox.requests import note_torn_down
from podwright.runtime.security.selinux import of_sandbox
from podwright.runtime.single_flight import SingleFlight
from podwright.tasks import Tasks
from podwright.timeline import Step

log = logging.getLogger(__name__)

One = TypeVar("One")
Other = TypeVar("Other")


class Builder:
    """Builds and tears down sandboxes, and watches the first processes of READY ones."""

    def __init__(self, env: SandboxEnvironment) -> None:
        self._env = env
        self._shares: SingleFlight[SandboxId, None] = SingleFlight("share PID namespace")
        self._watches: dict[SandboxId, asyncio.Task[None]] = {}
        self._tasks = Tasks()

    async def build(self, sandbox: Sandbox) -> None:
        """Run all steps until READY. After a failure the caller calls `tear_down`."""
        paths = self._env.paths(sandbox.id)
        host_parts.make_log_directory(sandbox.config)
        has_users = sandbox.config.security.namespaces.own_user is not None
        if has_users:
            await self._env.users.check(self._env.handlers.get(sandbox.handler))
        labels = of_sandbox(self._env.selinux, sandbox)
        label = str(labels.file) if labels is not None else ""
        with Step("namespaces"):
            await asyncio.to_thread(host_parts.make, sandbox.config, paths, self._env.shm_size_bytes, label)
        if has_users:
            await self._env.users.make(sandbox.config, paths)
        sandbox = await self._populate(sandbox, paths)
        if self._env.life:
            await self._env.life.run_sandbox(sandbox)
        sandbox = self._env.store.put(msgspec.structs.replace(sandbox, state=SandboxState.READY))
        self.watch(sandbox)

    async def _populate(self, sandbox: Sandbox, paths: SandboxPaths) -> Sandbox:
        """Attach its network and start its first process, if it has them.

        Both take long, so they run side by side. A handler whose sandbox process is a virtual machine needs the
        network first.
        """
        capabilities = self._env.handlers.get(sandbox.handler).capabilities
        wants_process = capabilities.sandbox_process or sandbox.config.security.namespaces.pid is NamespaceMode.POD
        if not sandbox.netns:
            return await self._start_process(sandbox) if wants_process else sandbox
        if not wants_process:
            return await self._plug_in(sandbox, paths)
        if capabilities.sandbox_process:
            return await self._start_process(await self._plug_in(sandbox, paths))
        plugged, started = await _both(self._plug_in(sandbox, paths), self._start_process(sandbox))
        return msgspec.structs.replace(started, attachment=plugged.attachment)

    async def _plug_in(self, sandbox: Sandbox, paths: SandboxPaths) -> Sandbox:
        attachment = await self._env.network.attach(attach_request(sandbox))
        sandbox = self._env.store.put(msgspec.structs.replace(sandbox, attachment=attachment))
        if self._env.life:
            await self._env.life.networked(sandbox, attachment)
        if any(name.startswith("net") for name in sandbox.config.sysctls):
            await asyncio.to_thread(host_parts.apply_network_sysctls, sandbox.config, paths)
        return sandbox

    async def share_pid_namespace(self, sandbox_id: SandboxId) -> int:
        """The first process of the pod's shared PID namespace. Starts it if no container has needed it yet."""
        await self._shares.join(sandbox_id, lambda: self._share(sandbox_id))
        return self._env.store.get(sandbox_id).pid

    async def _share(self, sandbox_id: SandboxId) -> None:
        sandbox = self._env.store.get(sandbox_id)
        if not sandbox.process:
            self.watch(self._env.store.put(await self._start_process(sandbox)))

    async def _start_process(self, sandbox: Sandbox) -> Sandbox:
        started = await self._env.first_processes.start(sandbox, self._env.paths(sandbox.id), self._env.pins(sandbox))
        return msgspec.structs.replace(sandbox, pid=started.pid, process=started.record)

    def watch(self, sandbox: Sandbox) -> None:
        """Set the sandbox to NOTREADY when its first process ends."""
        if not sandbox.process:
            return
        what = f"watching the first process of sandbox {sandbox.id[:12]}"
        self._watches[sandbox.id] = self._tasks.start(insist(lambda: self._record_end(sandbox), what), name=what)

    async def _record_end(self, watched: Sandbox) -> None:
        await self._env.first_processes.ended(watched)
        sandbox = self._env.store.find(watched.id)
        if sandbox is not None and sandbox.state is SandboxState.READY:
            log.warning("sandbox is not ready, its first process ended: id=%s", sandbox.id[:12])
            self._env.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))

    async def tear_down(self, sandbox: Sandbox) -> None:
        """Remove the process, the network and the namespaces. Absent parts are skipped."""
        paths = self._env.paths(sandbox.id)
        watch = self._watches.pop(sandbox.id, None)
        if watch is not None:
            watch.cancel()
        await _both(self._env.first_processes.stop(sandbox, paths), self._unplug(sandbox))
        if not host_parts.is_unpinned(paths):
            with Step("namespaces"):
                await asyncio.to_thread(host_parts.unpin, paths)
        note_torn_down(self._env.store, sandbox.id)

    async def _unplug(self, sandbox: Sandbox) -> None:
        if sandbox.netns and (sandbox.attachment is not None or sandbox.state is SandboxState.CREATING):
            await self._env.network.detach(attach_request(sandbox), sandbox.attachment)

    async def undo(self, sandbox: Sandbox) -> None:
        """Undo a sandbox that did not become READY. If that fails, it stays visible as NOTREADY."""
        sandbox = self._env.store.find(sandbox.id) or sandbox
        try:
            await self.tear_down(sandbox)
            await self.forget(sandbox)
        except (PodwrightError, OSError) as failure:
            log.error("cannot undo sandbox: id=%s error=%s", sandbox.id[:12], failure)  # noqa: TRY400 # said in one line
            self._env.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))

    async def forget(self, sandbox: Sandbox) -> None:
        """Delete the files, the cgroup parent if we made it, and the record of a sandbox that is torn down."""
        with Step("files"):
            await asyncio.to_thread(host_parts.unmake, self._env.paths(sandbox.id))
        await self._env.parents.remove(sandbox)
        self._env.store.delete(sandbox.id)

    async def close(self, timeout_s: float) -> None:
        """Wait for first processes that are being started, and stop watching."""
        await self._shares.settle(timeout_s)
        await self._tasks.close()


async def _both(one: Coroutine[Any, Any, One], other: Coroutine[Any, Any, Other]) -> tuple[One, Other]:
    """Both results. If one fails, the failure is raised after both have ended."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second


def attach_request(sandbox: Sandbox) -> NetworkRequest:
    """What the network needs to know about a sandbox."""
    if not sandbox.netns:
        raise InvalidArgument(f"sandbox {sandbox.id[:12]} is on the host's network")
    return NetworkRequest(
        sandbox_id=sandbox.id,
        name=sandbox.config.name,
        netns=sandbox.netns,
        port_mappings=sandbox.config.port_mappings,
        dns=sandbox.config.dns,
        annotations=sandbox.config.annotations,
        cgroup_parent=sandbox.cgroup_parent,
    )
