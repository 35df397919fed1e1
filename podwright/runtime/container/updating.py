"""UpdateContainerResources: other limits for a container, all of them or none.

What is not started yet gets another spec. What runs gets them from the OCI runtime, which knows the host's cgroups
and tells systemd where systemd makes them; only huge pages, which not every runtime changes, and the scores for the
OOM killer are written here. When any of it fails, the cgroup's files get back what was in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.linux import cgroup, cgroup_limits
from podwright.linux.files import write_new
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.spec import resources
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.single_flight import SingleFlight

log = logging.getLogger(__name__)


class Updater:
    """The updates under way: one at a time for each container, and a retry joins the one that it repeats."""

    def __init__(self, env: ContainerEnvironment) -> None:
        self._env = env
        self._locks: KeyedLocks[ContainerId] = KeyedLocks()
        self._jobs: SingleFlight[tuple[ContainerId, bytes], None] = SingleFlight("update container")

    async def update(self, container_id: ContainerId, change: Resources) -> None:
        """Give it the limits that `change` names, and keep the others.

        Raises InvalidArgument, NotFound, FailedPrecondition for a container that has ended and for less memory than
        it holds, and what the runtime says; nothing has changed then.
        """
        key = (container_id, msgspec.json.encode(change))
        await self._jobs.join(key, lambda: self._update(container_id, change))

    async def _update(self, container_id: ContainerId, change: Resources) -> None:
        async with self._locks[container_id]:
            container = self._env.store.get(container_id)
            handler = self._env.handler_of(container)
            limits = self._env.limits(handler, resources.merged(container.resources, change))
            if container.state is ContainerState.RUNNING:
                await self._change(container, limits)
            elif container.state is ContainerState.CREATED:
                self._commit(container.id, limits)
            else:
                raise _not_running(container)
            log.info("container has other limits: id=%s", container_id[:12])

    async def _change(self, container: Container, limits: Resources) -> None:
        """Of a running container: its cgroup, its processes, its spec and its record."""
        env = self._env
        _check_memory(env, container, limits)
        before = cgroup_limits.read_limits(env.cgroups, container.cgroup, limits.unified)
        try:
            await self._tell_runtime(container, limits)
            cgroup_limits.set_huge_pages(env.cgroups, container.cgroup, limits.hugepage_limits)
            _rescore(env, container, container.resources.oom_score_adj, limits.oom_score_adj)
            self._commit(container.id, limits)
        except BaseException as failure:
            if refused := await asyncio.shield(asyncio.to_thread(cgroup_limits.write_limits, before)):
                log.warning("limits are not back as they were: id=%s files=%s", container.id[:12], refused)
            _rescore(env, container, limits.oom_score_adj, container.resources.oom_score_adj)
            if env.store.get(container.id).state is not ContainerState.RUNNING:  # it ended meanwhile
                raise _not_running(env.store.get(container.id)) from failure
            raise

    async def _tell_runtime(self, container: Container, limits: Resources) -> None:
        handler, cgroups = self._env.handler_of(container), self._env.cgroups
        oci = resources.oci_resources(limits)
        if handler.is_crun and "cpu" in cgroups.controllers and limits.cpu_quota == resources.UNLIMITED:
            cgroup_limits.lift_v1_cpu_quota(cgroups, container.cgroup)
            oci = resources.without_quota(oci)
        await handler.update(container.id, oci)

    def _commit(self, container_id: ContainerId, limits: Resources) -> None:
        """The spec and the record. Without a wait between, so that no start comes in between either."""
        env = self._env
        container = env.store.get(container_id)
        if container.state not in (ContainerState.CREATED, ContainerState.RUNNING):
            raise _not_running(container)
        path = env.paths(container_id).spec
        with open(path, "rb") as file:
            old = file.read()
        _replace(path, changed_spec(old, limits))
        try:
            env.store.put(msgspec.structs.replace(container, resources=limits))
        except BaseException:
            _replace(path, old)
            raise

    async def settle(self, timeout_s: float) -> None:
        """Wait for the updates under way; late ones are cancelled, and undone."""
        await self._jobs.settle(timeout_s)


def changed_spec(document: bytes, limits: Resources) -> bytes:
    """An OCI spec with other limits; device rules and everything else stay."""
    spec: dict[str, Any] = msgspec.json.decode(document)
    devices = spec["linux"]["resources"]["devices"]
    spec["linux"]["resources"] = {**resources.oci_resources(limits), "devices": devices}
    spec["process"]["oomScoreAdj"] = limits.oom_score_adj
    return msgspec.json.encode(spec)


def _replace(path: str, document: bytes) -> None:
    """Atomically, since others read it. Raises OSError."""
    temporary = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    write_new(temporary, document, mode=0o600)
    os.rename(temporary, path)


def _check_memory(env: ContainerEnvironment, container: Container, limits: Resources) -> None:
    """Raises FailedPrecondition: the kernel would kill to come below a new limit, which nobody who resizes wants."""
    limit, current = limits.memory_limit_bytes, container.resources.memory_limit_bytes
    if limit <= 0 or 0 < current <= limit:
        return
    held = cgroup.memory_held_bytes(env.cgroups, container.cgroup)
    if held is not None and held > limit:
        raise FailedPrecondition(
            f"container {container.id[:12]} holds {held} bytes of memory, more than a limit of {limit}",
            hint="set a higher limit, or try again when it holds less",
        )


def _rescore(env: ContainerEnvironment, container: Container, old: int, new: int) -> None:
    """The OOM score of every process that has the one which the container began with; others chose their own."""
    if old == new:
        return
    for pid in cgroup.processes(env.cgroups, container.cgroup):
        path = f"/proc/{pid}/oom_score_adj"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(path, "r+", encoding="ascii") as file:
            if int(file.read()) == old:
                file.seek(0)
                file.write(str(new))


def _not_running(container: Container) -> FailedPrecondition:
    return FailedPrecondition(f"container {container.id[:12]} has no limits any more: it is {container.state}")
