"""The sandbox service: run, stop, remove and look up pod sandboxes.

Called by the gRPC edge. Sandboxes hold containers, but this room knows them only as `Occupants`: the container
service registers itself at start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from typing import Protocol

import msgspec

from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PodwrightError
from podwright.linux.selinux import Contexts, free_level
from podwright.process import Process
from podwright.runtime import config as configuration
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.ids import SandboxId, new_id
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.model.selinux import of_sandbox
from podwright.runtime.network import AttachRequest, NetworkService
from podwright.runtime.sandbox import place, reviving, validate
from podwright.runtime.sandbox.infra import InfraContainers
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.paths import SandboxPaths, sandbox_paths
from podwright.runtime.sandbox.userns import UserNamespaces
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Database, Store

log = logging.getLogger(__name__)


class Occupants(Protocol):
    """The containers of sandboxes, as far as sandboxes care."""

    async def kill_all(self, sandbox_id: SandboxId) -> None:
        """SIGKILL every container of the sandbox and wait for their ends."""

    async def write_off(self, sandbox_id: SandboxId) -> None:
        """As `kill_all`, and those that were not started yet have ended, too."""

    async def remove_all(self, sandbox_id: SandboxId) -> None:
        """Remove every container of the sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What the service needs to know of the configuration and the host."""

    state: str
    containers: configuration.Containers
    parents: Parents
    users: UserNamespaces
    selinux: Contexts | None = None  # see HostFacts


class SandboxService:
    """All sandboxes of the daemon."""

    def __init__(
        self,
        database: Database,
        settings: SandboxSettings,
        handlers: Handlers,
        network: NetworkService,
        infra: InfraContainers,
    ) -> None:
        """Loads the records; `reconcile` must run before anything else is asked."""
        self.store: Store[Sandbox] = Store(
            database, Sandbox, label="sandbox", id_of=lambda record: record.id, name_of=lambda r: _key(r.config.name)
        )
        self._settings = settings
        self.users = settings.users
        self.handlers = handlers
        self._network = network
        self._infra = infra
        self._runs: SingleFlight[tuple[str | int, ...], SandboxId] = SingleFlight("run sandbox")
        self._starts: SingleFlight[SandboxId, None] = SingleFlight("start sandbox")
        self._stops: SingleFlight[SandboxId, None] = SingleFlight("stop sandbox")
        self._removes: SingleFlight[SandboxId, None] = SingleFlight("remove sandbox")
        self._shares: SingleFlight[SandboxId, None] = SingleFlight("share PID namespace")
        self._watches: dict[SandboxId, asyncio.Task[None]] = {}
        self.occupants: Occupants

    async def run(self, config: SandboxConfig, handler: str) -> SandboxId:
        """Make a sandbox and return when it is READY.

        The same request again joins the one in flight, or returns what is there. Raises InvalidArgument,
        AlreadyExists (the name is taken by a different or stopped sandbox), FailedPrecondition and what the network
        raises; nothing is left behind then.
        """
        validate.check(config)
        chosen = self.handlers.get(handler).name
        existing = self.store.named(_key(config.name))
        if existing is None or existing.state is SandboxState.CREATING:
            made = await self._runs.join(_key(config.name), lambda: self._create(config, chosen, handler))
            existing = self.store.find(made)
            if existing is None or (existing.config, existing.handler) == (config, chosen):
                return made
        elif existing.state is SandboxState.READY and (existing.config, existing.handler) == (config, chosen):
            return existing.id
        raise AlreadyExists(
            f"sandbox {config.name.namespace}/{config.name.name} attempt {config.name.attempt} exists already as "
            f"{existing.id[:12]} ({existing.state})",
            hint="remove it, or count the attempt up",
        )

    async def _create(self, config: SandboxConfig, handler: str, requested: str) -> SandboxId:
        sandbox_id = SandboxId(new_id())
        paths = self.paths(sandbox_id)
        sandbox = self.store.put(
            Sandbox(
                id=sandbox_id,
                config=config,
                handler=handler,
                requested_handler=requested,
                state=SandboxState.CREATING,
                created_at=self.store.now(),
                netns="" if config.security.namespaces.network is NamespaceMode.NODE else paths.netns,
                cgroup_parent=self._settings.parents.of(config, sandbox_id),
                selinux_level=self._selinux_level(sandbox_id),
            )
        )
        try:
            await self.build(sandbox, paths)
        except BaseException:
            await asyncio.shield(self._undo(sandbox))
            raise
        log.info("sandbox is ready: id=%s pod=%s/%s", sandbox_id[:12], config.name.namespace, config.name.name)
        return sandbox_id

    def _selinux_level(self, sandbox_id: SandboxId) -> str:
        """One that no other pod has; empty on a host without SELinux."""
        if self._settings.selinux is None:
            return ""
        return free_level(int(sandbox_id[:16], 16), frozenset(other.selinux_level for other in self.store))

    async def build(self, sandbox: Sandbox, paths: SandboxPaths) -> Sandbox:
        """Every step from the record to READY. Whoever calls takes back what a failure leaves (`tear_down`)."""
        place.make_log_directory(sandbox.config)
        has_users = sandbox.config.security.namespaces.own_user is not None
        if has_users:
            await self.users.check(sandbox.handler, self.handlers)
        labels = of_sandbox(self._settings.selinux, sandbox)
        label = str(labels.file) if labels is not None else ""
        await asyncio.to_thread(place.make, sandbox.config, paths, self._settings.containers.shm_size_bytes, label)
        if has_users:
            await self.users.make(sandbox.config, paths)
        if sandbox.netns:
            attachment = await self._network.attach(attach_request(sandbox))
            sandbox = self.store.put(msgspec.structs.replace(sandbox, attachment=attachment))
            if any(name.startswith("net") for name in sandbox.config.sysctls):
                await asyncio.to_thread(place.apply_network_sysctls, sandbox.config, paths)
        if sandbox.config.security.namespaces.pid is NamespaceMode.POD:
            sandbox = await self._start_infra(sandbox)
        sandbox = self.store.put(msgspec.structs.replace(sandbox, state=SandboxState.READY))
        self._watch_infra(sandbox)
        return sandbox

    async def start(self, sandbox_id: str) -> None:
        """Bring a NOTREADY sandbox back: see `reviving`. Raises NotFound besides."""
        sandbox = self.get(sandbox_id)
        await self._stops.finished(sandbox.id)
        if sandbox.id in self._removes:
            raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is being removed")
        await self._starts.join(sandbox.id, lambda: reviving.revive(self, sandbox.id))

    async def share_pid_namespace(self, sandbox_id: SandboxId) -> int:
        """The first process of the pod's shared PID namespace, started now if no container has asked for it yet."""
        await self._shares.join(sandbox_id, lambda: self._share(sandbox_id))
        return self.store.get(sandbox_id).infra_pid

    async def _share(self, sandbox_id: SandboxId) -> None:
        sandbox = self.store.get(sandbox_id)
        if not sandbox.infra_pid:
            self._watch_infra(self.store.put(await self._start_infra(sandbox)))

    async def _start_infra(self, sandbox: Sandbox) -> Sandbox:
        try:
            pid, start_time = await self._infra.start(sandbox, self.paths(sandbox.id), self.pins(sandbox))
        except BaseException:
            await asyncio.shield(self._infra.delete(sandbox))
            raise
        return msgspec.structs.replace(sandbox, infra_pid=pid, infra_start_time=start_time)

    async def _undo(self, sandbox: Sandbox) -> None:
        """Take back a sandbox that did not become READY; what cannot be undone stays visible as NOTREADY."""
        sandbox = self.store.find(sandbox.id) or sandbox
        try:
            await self.tear_down(sandbox)
            await self._forget(sandbox)
        except (PodwrightError, OSError) as failure:
            log.error("sandbox could not be undone: id=%s error=%s", sandbox.id[:12], failure)  # noqa: TRY400 # said in one line
            self.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))

    async def stop(self, sandbox_id: str) -> None:
        """Kill what runs in it and take its network down. An unknown id and a second call are successes."""
        sandbox = self.store.find(sandbox_id)
        if sandbox is not None:
            await self._stops.join(sandbox.id, lambda: self._stop(sandbox.id))

    async def _stop(self, sandbox_id: SandboxId) -> None:
        await self._starts.finished(sandbox_id)
        sandbox = self.store.get(sandbox_id)
        if sandbox.state is SandboxState.READY:
            sandbox = self.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.STOPPING))
        await self.occupants.kill_all(sandbox_id)
        await self.tear_down(sandbox)

    async def tear_down(self, sandbox: Sandbox) -> None:
        """The process, the network and the namespaces; each absent part is fine."""
        paths = self.paths(sandbox.id)
        watch = self._watches.pop(sandbox.id, None)
        if watch is not None:
            watch.cancel()
        await self._infra.delete(sandbox)
        if sandbox.netns and (sandbox.attachment is not None or sandbox.state is SandboxState.CREATING):
            await self._network.detach(attach_request(sandbox), sandbox.attachment)
        if not place.is_unpinned(paths):
            await asyncio.to_thread(place.unpin, paths)
        current = self.store.find(sandbox.id)
        if current is None:
            return
        state = SandboxState.NOTREADY if current.state is SandboxState.STOPPING else current.state
        if current.attachment is not None or current.infra_pid or current.state is not state:
            self.store.observe(msgspec.structs.replace(current, state=state, attachment=None, infra_pid=0))

    async def remove(self, sandbox_id: str) -> None:
        """Stop it and delete it with all its containers. An unknown id is a success."""
        sandbox = self.store.find(sandbox_id)
        if sandbox is not None:
            await self._removes.join(sandbox.id, lambda: self._remove(sandbox.id))

    async def _remove(self, sandbox_id: SandboxId) -> None:
        await self.stop(sandbox_id)
        await self.occupants.remove_all(sandbox_id)
        await self._forget(self.store.get(sandbox_id))
        log.info("sandbox is removed: id=%s", sandbox_id[:12])

    async def _forget(self, sandbox: Sandbox) -> None:
        await asyncio.to_thread(place.unmake, self.paths(sandbox.id))
        await self._settings.parents.remove(sandbox)
        self.store.delete(sandbox.id)

    def get(self, sandbox_id: str) -> Sandbox:
        """A sandbox that exists for clients. Raises NotFound and InvalidArgument."""
        sandbox = self.store.get(sandbox_id)
        if sandbox.state is SandboxState.CREATING:  # nobody may know of it yet
            raise NotFound(f"sandbox {sandbox_id[:64]!r} does not exist")
        return sandbox

    def visible(self) -> list[Sandbox]:
        """Every sandbox that clients may know of, oldest first."""
        shown = [sandbox for sandbox in self.store if sandbox.state is not SandboxState.CREATING]
        return sorted(shown, key=lambda sandbox: sandbox.created_at)

    def paths(self, sandbox_id: SandboxId) -> SandboxPaths:
        """Where a sandbox keeps its things."""
        return sandbox_paths(self._settings.state, sandbox_id)

    def pins(self, sandbox: Sandbox) -> dict[str, str]:
        """Its own namespaces: kind ("net", "ipc", "uts") -> path."""
        return place.pinned_paths(sandbox.config, self.paths(sandbox.id))

    def _watch_infra(self, sandbox: Sandbox) -> None:
        """See the end of the process that holds a shared PID namespace: the sandbox is NOTREADY then."""
        if not sandbox.infra_pid:
            return
        process = Process.adopt(sandbox.infra_pid, sandbox.infra_start_time)
        self._watches[sandbox.id] = asyncio.create_task(self._on_infra_exit(sandbox.id, process))

    async def _on_infra_exit(self, sandbox_id: SandboxId, process: Process | None) -> None:
        if process is not None:
            await process.wait()
        sandbox = self.store.find(sandbox_id)
        if sandbox is not None and sandbox.state is SandboxState.READY:
            log.warning("sandbox lost its first process: id=%s", sandbox_id[:12])
            self.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))

    async def reconcile(self, *, rebooted: bool = False) -> None:
        """At start: undo what was half-made, and see which sandboxes are still whole. Containers come after.

        `rebooted`: none is, whatever their PIDs and paths look like.
        """
        await asyncio.gather(*(self._mend(sandbox, rebooted=rebooted) for sandbox in self.store))
        await self._remove_orphans()
        await self._network.reconcile([sandbox.id for sandbox in self.store if sandbox.attachment is not None])

    async def _mend(self, sandbox: Sandbox, *, rebooted: bool) -> None:
        """One record. All are seen to side by side: one whose OCI runtime hangs keeps no other waiting."""
        if sandbox.state is SandboxState.CREATING:
            await self._undo(sandbox)
        elif sandbox.state is SandboxState.READY:
            if rebooted or not place.is_intact(sandbox.config, self.paths(sandbox.id)):
                log.warning("sandbox lost its namespaces: id=%s", sandbox.id[:12])
                self.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))
            elif sandbox.infra_pid:
                self._watch_infra(sandbox)
            else:
                await self._infra.delete(sandbox)  # the daemon may have been killed while it was being started

    async def _remove_orphans(self) -> None:
        """Directories that no record knows of."""
        folder = f"{self._settings.state}/sandboxes"
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o711)  # pods with users of their own pass through it
        for name in os.listdir(folder):
            if self.store.find(name) is None:
                log.warning("removing an unknown sandbox's directory: id=%s", name[:12])
                await asyncio.to_thread(place.unmake, self.paths(SandboxId(name)))

    async def close(self, timeout_s: float) -> None:
        """Let jobs under way end, or undo them; sandboxes stay. The last one gone, so is our cgroup."""
        for flight in (self._runs, self._starts, self._shares, self._stops, self._removes):
            await flight.settle(timeout_s)
        for watch in self._watches.values():
            watch.cancel()
        if not len(self.store):
            with contextlib.suppress(OSError):  # somebody else has put something there
                await self._settings.parents.remove_base()


def attach_request(sandbox: Sandbox) -> AttachRequest:
    """What the network must know of a sandbox."""
    if not sandbox.netns:
        raise InvalidArgument(f"sandbox {sandbox.id[:12]} is on the host's network")
    return AttachRequest(
        sandbox_id=sandbox.id,
        name=sandbox.config.name,
        netns=sandbox.netns,
        port_mappings=sandbox.config.port_mappings,
        dns=sandbox.config.dns,
        annotations=sandbox.config.annotations,
        cgroup_parent=sandbox.cgroup_parent,
    )


def _key(name: SandboxName) -> tuple[str | int, ...]:
    return (name.namespace, name.name, name.uid, name.attempt)
