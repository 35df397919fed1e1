"""What became of the containers while no daemon was there: records against reality, once, at start."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from podwright.errors import PodwrightError
from podwright.process import Process
from podwright.runtime.container import executing, place
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.running import Runner
from podwright.runtime.handlers.oci import OciHandler, RuntimeStatus
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId

log = logging.getLogger(__name__)

KILLED_TIMEOUT_S = 5.0
NO_STATUS = RuntimeStatus(status="", pid=0)


async def reconcile(env: ContainerEnvironment, runner: Runner) -> frozenset[ContainerId]:
    """Mend every record; the ids that run, but whose start the crash may have left without an answer, are returned."""
    resumed: set[ContainerId] = set()
    for container in list(env.store):
        if container.state is ContainerState.CREATING or env.sandboxes.store.find(container.sandbox_id) is None:
            await forget(env, container)
        elif container.state is ContainerState.RUNNING:
            await asyncio.to_thread(executing.end_abandoned, env, container)
            runner.watch(container, Process.adopt(container.monitor_pid, container.monitor_start_time))
            resumed.add(container.id)
        elif container.state is ContainerState.CREATED and await _resume(env, runner, container):
            resumed.add(container.id)
    await _remove_orphans(env)
    return frozenset(resumed)


async def _resume(env: ContainerEnvironment, runner: Runner, container: Container) -> bool:
    """A CREATED container whose start was interrupted: it runs, and is adopted, or it goes back to CREATED."""
    handler = env.handler_of_record(container)
    if not container.monitor_pid and not handler.knows(container.id):
        return False
    monitor = Process.adopt(container.monitor_pid, container.monitor_start_time)
    status = await _status(handler, container.id) if monitor is not None else NO_STATUS
    if status.status == "running":
        log.info("adopting a container whose start was interrupted: id=%s", container.id[:12])
        record = msgspec.structs.replace(
            container, state=ContainerState.RUNNING, started_at=env.store.now(), pid=status.pid
        )
        runner.watch(env.store.put(record), monitor)
        return True
    log.info("taking back an interrupted start: id=%s", container.id[:12])
    if monitor is not None:
        monitor.kill_group()  # it may still be at work on the create
        await asyncio.wait({asyncio.ensure_future(monitor.wait())}, timeout=KILLED_TIMEOUT_S)
    await runner.clear(container)
    env.store.put(msgspec.structs.replace(container, monitor_pid=0, monitor_start_time=0))
    return False


async def _status(handler: OciHandler, container_id: ContainerId) -> RuntimeStatus:
    """What the runtime says of the container; nothing when it has none, or fails."""
    try:
        return await handler.state(container_id) if handler.knows(container_id) else NO_STATUS
    except PodwrightError as failure:
        log.warning("the runtime does not tell a container's state: id=%s error=%s", container_id[:12], failure)
        return NO_STATUS


async def forget(env: ContainerEnvironment, container: Container) -> None:
    """Delete a container that ended, or that was never whole, with everything it has but its log."""
    await asyncio.to_thread(place.unmake, env.paths(container.id))
    env.images.release(container.id)
    env.store.delete(container.id)


async def _remove_orphans(env: ContainerEnvironment) -> None:
    """Directories that no record knows of."""
    for folder in (f"{env.state}/containers", f"{env.root}/containers"):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in os.listdir(folder):
            if env.store.find(name) is None:
                log.warning("removing an unknown container's directory: id=%s", name[:12])
                await asyncio.to_thread(place.unmake, env.paths(ContainerId(name)))
