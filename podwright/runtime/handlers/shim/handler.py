"""A containerd shim, as a `Handler`."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import msgspec

from podwright.errors import PodwrightError
from podwright.linux import selinux
from podwright.linux.sealed import SealedProgram
from podwright.process import Command, ProcessRunner, find_executable
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
from podwright.runtime.handlers.shim import sandbox
from podwright.runtime.handlers.shim.member import ShimHost
from podwright.runtime.handlers.shim.pods import GROUP
from podwright.runtime.handlers.shim.record import ShimRecord
from podwright.runtime.handlers.shim.runtimes import Runtime
from podwright.runtime.handlers.shim.task import ShimTask
from podwright.runtime.model.container import Container

log = logging.getLogger(__name__)

QUERY_TIMEOUT_S = 60.0  # nobody waits for it: see the registry
COPY_THEMSELVES = (b"runc version ", b"crun version ")  # see `linux.sealed`
RUNC_FLOOR_BYTES = 4 * 1024 * 1024  # with less memory runc's own start is killed


class _Annotated(msgspec.Struct, frozen=True):
    """The part of a spec that says whose pod it is."""

    annotations: dict[str, str] = {}  # msgspec copies it


class ShimHandler:
    """One configured shim."""

    def __init__(self, host: ShimHost, runtime: Runtime, runner: ProcessRunner, state: str, policy: PodPolicy) -> None:
        self._host = host
        self._runtime = runtime
        self._runner = runner
        self._state = state
        self._policy = policy
        self._user_namespaces = False

    @property
    def name(self) -> str:
        return self._host.name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            user_namespaces=self._user_namespaces,
            memory_floor_bytes=RUNC_FLOOR_BYTES if self._runtime.is_runc else 0,
            sandbox_process=self._runtime.sandbox != "none",
            policy=self._policy,
        )

    async def probe(self) -> None:
        """Ask the program for its version, which proves that it can be run. And its OCI runtime what it can do."""
        await self._runner.run(Command(argv=(self._runtime.program, "-v"), timeout_s=QUERY_TIMEOUT_S))
        if self._runtime.is_runc:
            self._user_namespaces, _ = await asyncio.gather(self._joins_user_namespaces(), self.seal())

    async def seal(self) -> None:
        """Have an OCI runtime that copies itself at each start run from a copy that is there already.

        The copy lives as long as this daemon. Shims have its path, which leads to the next daemon's copy then.
        """
        if not self._runtime.is_runc:
            return
        options = self._host.options
        try:
            program = find_executable(options.binary)
            answer = await self._runner.run(Command(argv=(program, "--version"), timeout_s=QUERY_TIMEOUT_S))
        except PodwrightError as failure:  # a start will say so
            log.warning("the shim's runtime cannot be asked: runtime=%s error=%s", options.binary, failure)
            return
        if answer.stdout.startswith(COPY_THEMSELVES) and not selinux.is_enabled():  # whose policy goes by the file
            path = f"{self._state}/programs/{self.name}/{os.path.basename(program)}"
            options.sealed = SealedProgram(program, path)
            options.sealed.path()  # for shims that are there already

    async def _joins_user_namespaces(self) -> bool:
        binary = self._host.options.binary
        try:
            answer = await self._runner.run(Command(argv=(binary, "features"), timeout_s=QUERY_TIMEOUT_S))
            features = msgspec.json.decode(answer.stdout) if answer.returncode == 0 else {}
            return "user" in (features["linux"]["namespaces"] or ())
        except (PodwrightError, msgspec.DecodeError, KeyError, TypeError) as failure:
            log.warning("the shim's runtime does not list its features: runtime=%s error=%s", binary, failure)
            return False

    def check(self, bundle: Bundle) -> None:
        """A shim runs what a spec says."""

    async def edit(self, spec: dict[str, Any], container: Container, /) -> None:  # noqa: ARG002 # the same for all
        """Nothing is changed: the annotations that shims read are in every spec (`oci_spec.names`).

        A container comes up, so its pod's shim is started, while the rest of its creation goes on.
        """
        if self._runtime.sandbox == "none":
            self._host.pods.prestart(container.sandbox_id)

    async def create(self, bundle: Bundle, note: Note) -> Task:
        task = ShimTask(self._host, bundle, ShimRecord(pod=_pod_of(bundle)))
        try:
            await task.create(note)
        except BaseException:
            await asyncio.shield(task.delete())
            raise
        return task

    async def adopt(self, bundle: Bundle, record: HandlerRecord, *, rebooted: bool = False) -> Task | None:
        facts = ShimRecord.read(record)
        if facts is None:
            return None
        shim = None if rebooted else await self._host.pods.rejoin(facts.pod, bundle.id)
        task = ShimTask(self._host, bundle, facts, shim)
        await task.adopt()
        return task

    async def create_sandbox(self, bundle: SandboxBundle, spec: dict[str, Any]) -> SandboxProcess:
        if self._runtime.sandbox == "api":
            return await sandbox.create_by_api(self._host, bundle, spec)
        return await sandbox.create_container(self._host, bundle, spec, root=f"{self._state}/pause")

    async def wait_sandbox(self, record: HandlerRecord) -> None:
        await sandbox.wait(self._host, record)

    def has_sandbox(self, record: HandlerRecord) -> bool:
        return sandbox.is_alive(record)

    async def stop_sandbox(self, bundle: SandboxBundle) -> None:
        await sandbox.stop(self._host, bundle)

    async def can_checkpoint(self) -> bool:
        """Whether the OCI runtime has the command. Of other runtimes it is not known."""
        if not self._runtime.is_runc:
            return False
        argv = (self._host.options.binary, "checkpoint", "--help")
        return (await self._runner.run(Command(argv=argv, timeout_s=QUERY_TIMEOUT_S))).returncode == 0


def _pod_of(bundle: Bundle) -> str:
    """What the containers of its pod have in common. A container without a pod is one by itself."""
    with open(os.path.join(bundle.directory, "config.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=_Annotated).annotations.get(GROUP, bundle.id)
