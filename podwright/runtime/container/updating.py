"""UpdateContainerResources: changes all requested limits of a container, or none.

A container that has not started gets a new spec. The handler changes a running one, and reverts its changes if the
spec or the record cannot be written.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.linux.files import replace_file
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.oci_spec import resources
from podwright.runtime.single_flight import SingleFlight

log = logging.getLogger(__name__)


class Updater:
    """The updates in progress: one at a time per container. A retry joins the update that it repeats."""

    def __init__(self, env: ContainerEnvironment) -> None:
        self._env = env
        self._locks: KeyedLocks[ContainerId] = KeyedLocks()
        self._jobs: SingleFlight[tuple[ContainerId, bytes], None] = SingleFlight("update container")

    async def update(self, container_id: ContainerId, change: Resources, *, quietly: bool = False) -> None:
        """Set the limits in `change` and keep the others. `quietly` does not ask the listeners of the life cycle.

        Raises InvalidArgument, NotFound, FailedPrecondition for an exited container and for a memory limit below its
        usage, and what the OCI runtime reports. A failure changes nothing.
        """
        key = (container_id, msgspec.json.encode(change))
        asks = bool(self._env.life) and not quietly
        await self._jobs.join(
            key, lambda: self._ask(container_id, change) if asks else self._update(container_id, change)
        )

    async def _ask(self, container_id: ContainerId, change: Resources) -> None:
        life = self._env.life
        container = self._env.store.get(container_id)
        sandbox = self._env.sandboxes.record(container.sandbox_id)
        async with life.held():
            await self._update(container_id, await life.update_container(sandbox, container, change))
            await life.container_updated(sandbox, self._env.store.get(container_id))

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
            log.info("container has new limits: id=%s", container_id[:12])

    async def _change(self, container: Container, limits: Resources) -> None:
        """Update a running container: its cgroup, its spec and its record."""
        task = self._env.task(container)
        check_memory(container, limits, await task.held_memory_bytes())
        try:
            async with task.update(container.resources, limits):
                self._commit(container.id, limits)
        except BaseException as failure:
            current = self._env.store.get(container.id)
            if current.state is not ContainerState.RUNNING:  # it exited in the meantime
                raise _not_running(current) from failure
            raise

    def _commit(self, container_id: ContainerId, limits: Resources) -> None:
        """Write the spec and the record, with no await in between, so that no start runs between them."""
        env = self._env
        container = env.store.get(container_id)
        if container.state not in (ContainerState.CREATED, ContainerState.RUNNING):
            raise _not_running(container)
        path = env.paths(container_id).spec
        with open(path, "rb") as file:
            old = file.read()
        replace_file(path, changed_spec(old, limits), mode=SPEC_MODE)
        try:
            env.store.put(msgspec.structs.replace(container, resources=limits))
        except BaseException:
            replace_file(path, old, mode=SPEC_MODE)
            raise

    async def settle(self, timeout_s: float) -> None:
        """Wait for the updates in progress. Late ones are cancelled and undone."""
        await self._jobs.settle(timeout_s)


SPEC_MODE = 0o600
OUR_LIMITS = frozenset({"cpu", "memory", "hugepageLimits", "unified"})  # what `oci_resources` has


def changed_spec(document: bytes, limits: Resources) -> bytes:
    """The OCI spec with other limits. Device rules and everything else stay."""
    spec: dict[str, Any] = msgspec.json.decode(document)
    kept = {name: section for name, section in spec["linux"]["resources"].items() if name not in OUR_LIMITS}
    spec["linux"]["resources"] = {**resources.oci_resources(limits), **kept}
    spec["process"]["oomScoreAdj"] = limits.oom_score_adj
    return msgspec.json.encode(spec)


def check_memory(container: Container, limits: Resources, held: int | None) -> None:
    """Raises FailedPrecondition for a memory limit below the usage: the kernel would kill processes to enforce it.

    `held` is the usage without reclaimable memory in bytes, or None if unknown. Pure.
    """
    limit, current = limits.memory_limit_bytes, container.resources.memory_limit_bytes
    if limit <= 0 or 0 < current <= limit:
        return
    if held is not None and held > limit:
        raise FailedPrecondition(
            f"container {container.id[:12]} uses {held} bytes of memory, more than the new limit of {limit}",
            hint="set a higher limit, or try again when it uses less",
        )


def _not_running(container: Container) -> FailedPrecondition:
    return FailedPrecondition(f"cannot update the resources of container {container.id[:12]}: it is {container.state}")
