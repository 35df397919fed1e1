"""An OCI runtime under conmon, as a `Handler`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import Any

import msgspec

from podwright.errors import PodwrightError
from podwright.linux import cgroup, proc, selinux
from podwright.linux.sealed import SealedProgram
from podwright.process import Process
from podwright.runtime.handlers.oci import execs, exit_directories, limits, logs, probing
from podwright.runtime.handlers.oci.guest import GuestTask
from podwright.runtime.handlers.oci.probing import Features
from podwright.runtime.handlers.oci.record import OciRecord, OciSandboxRecord
from podwright.runtime.handlers.oci.runtime import OciRuntime, Programs
from podwright.runtime.handlers.oci.task import OciHost, OciTask
from podwright.runtime.handlers.processes import pause
from podwright.runtime.handlers.protocol import (
    Bundle,
    Capabilities,
    HandlerRecord,
    Note,
    PodPolicy,
    SandboxBundle,
    SandboxProcess,
    Task,
)
from podwright.runtime.model.container import Container

log = logging.getLogger(__name__)

COPY_THEMSELVES = frozenset({"crun", "runc"})  # see `linux.sealed`
RUNSC = "runsc"
NO_POLICY = PodPolicy()


class Launchers(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before a runtime in the argv that conmon executes: crun, others, and before those `waiter`."""

    crun: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    waiter: tuple[str, ...] = ()


NO_LAUNCHERS = Launchers()


class OciHandler:
    """One configured OCI runtime."""

    def __init__(
        self,
        host: OciHost,
        runtime: OciRuntime,
        *,
        sandboxes: bool | None = None,
        launchers: Launchers = NO_LAUNCHERS,
        policy: PodPolicy = NO_POLICY,
    ) -> None:
        """`sandboxes` says whether each pod runs in a sandbox of the runtime's. None: if it turns out to be runsc."""
        self._host = host
        self._runtime = runtime
        self._sandboxes = sandboxes
        self._launchers = launchers
        self._policy = policy
        self._features = Features()
        is_runsc = os.path.basename(runtime.programs.runtime) == RUNSC  # until it has told its name itself
        self._learn(runtime.programs, kind=RUNSC if is_runsc else "")

    def _learn(self, known: Programs, **found: Any) -> None:
        """Take in what is known of the runtime, and what follows from it."""
        kind = found["kind"]
        sandboxes = kind == RUNSC if self._sandboxes is None else self._sandboxes
        plain = self._launchers.crun if kind == "crun" else self._launchers.others
        launcher = (*self._launchers.waiter, *plain) if sandboxes else plain
        self._runtime.programs = msgspec.structs.replace(known, **found, sandboxes=sandboxes, launcher=launcher)

    @property
    def name(self) -> str:
        return self._runtime.name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            user_namespaces=self._features.user_namespaces,
            memory_floor_bytes=self._runtime.memory_floor_bytes,
            sandbox_process=self._runtime.programs.sandboxes,
            policy=self._policy,
        )

    async def probe(self) -> None:
        known = self._runtime.programs
        answers = await probing.ask(known.runtime, known.conmon, self._host.runner)
        sealed = None
        if answers.kind in COPY_THEMSELVES and not selinux.is_enabled():  # whose policy goes by the file's label
            copy = f"{self._host.state}/programs/{self.name}/{os.path.basename(known.runtime)}"
            sealed = SealedProgram(known.runtime, copy)
        self._learn(known, kind=answers.kind, conmon_options=answers.conmon_options, sealed=sealed)
        self._features = answers.features

    def check(self, bundle: Bundle) -> None:
        logs.check(bundle.log_path)

    async def edit(self, spec: dict[str, Any], container: Container, /) -> None:  # noqa: ARG002 # the same for all
        """Adds what spares the runtime work that it has done before, and puts limits as it sets them right here."""
        self._runtime.prepare(spec)
        linux = spec["linux"]
        linux["resources"] = limits.of_host(linux["resources"], self._runtime, self._host.cgroups)

    async def create(self, bundle: Bundle, note: Note) -> Task:
        task = self._task(bundle, OciRecord())
        try:
            await task.create(note)
        except BaseException:
            await asyncio.shield(task.delete())
            raise
        return task

    async def adopt(self, bundle: Bundle, record: HandlerRecord, *, rebooted: bool = False) -> Task | None:
        kept = exit_directories.path(self._host.state, bundle.id)
        if not record and not self._runtime.knows(bundle.id) and not os.path.isdir(kept):
            return None
        facts = OciRecord.read(record)
        monitor = None if rebooted else Process.adopt(facts.monitor_pid, facts.monitor_start_time)
        if facts.pid:
            await asyncio.to_thread(execs.end_abandoned, self._host.cgroups, bundle)
        return self._task(bundle, facts, monitor)

    def _task(self, bundle: Bundle, facts: OciRecord, monitor: Process | None = None) -> OciTask:
        make = GuestTask if self._runtime.programs.sandboxes else OciTask
        return make(self._host, self._runtime, bundle, facts, monitor)

    async def create_sandbox(self, bundle: SandboxBundle, spec: dict[str, Any]) -> SandboxProcess:
        root = f"{self._host.state}/pause"
        pause.make_root(root, os.uname().machine)
        _write_bundle(bundle, {**spec, "root": {"path": root, "readonly": True}})
        try:
            pid = await self._runtime.run_detached(bundle.id, bundle.directory, *self._network_options(spec))
            record = OciSandboxRecord(pid=pid, start_time=proc.start_time(pid) or 0)
        except BaseException:
            await asyncio.shield(self.stop_sandbox(bundle))
            raise
        return SandboxProcess(pid=pid, record=msgspec.to_builtins(record))

    def _network_options(self, spec: dict[str, Any]) -> tuple[str, ...]:
        """gVisor has a network stack of its own, unless it is told to use that of the host."""
        namespaces = {one["type"] for one in spec["linux"]["namespaces"]}
        on_host = self._runtime.programs.kind == RUNSC and "network" not in namespaces
        return ("--network=host",) if on_host else ()

    async def wait_sandbox(self, record: HandlerRecord) -> None:
        facts = OciSandboxRecord.read(record)
        process = Process.adopt(facts.pid, facts.start_time)
        if process is not None:
            await process.wait()

    def has_sandbox(self, record: HandlerRecord) -> bool:
        facts = OciSandboxRecord.read(record)
        return proc.start_time(facts.pid) == facts.start_time

    async def stop_sandbox(self, bundle: SandboxBundle) -> None:
        """Also when the runtime fails."""
        if not self._runtime.knows(bundle.id):
            return
        try:
            await self._runtime.delete(bundle.id)
        except PodwrightError as failure:
            log.warning("deleting a pod's first process without its runtime: id=%s error=%s", bundle.id[:12], failure)
        await asyncio.to_thread(cgroup.kill_all, self._host.cgroups, bundle.cgroup)
        cgroup.remove(self._host.cgroups, bundle.cgroup)
        self._runtime.forget(bundle.id)

    async def can_checkpoint(self) -> bool:
        return await self._runtime.can_checkpoint()


def _write_bundle(bundle: SandboxBundle, spec: dict[str, Any]) -> None:
    os.makedirs(bundle.directory, mode=0o700, exist_ok=True)
    with open(f"{bundle.directory}/config.json", "w", encoding="utf-8") as file:
        json.dump(spec, file)
