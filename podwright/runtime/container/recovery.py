"""What became of the containers while no daemon was there: records against reality, once, at start."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from podwright.errors import DeadlineExceeded, PodwrightError
from podwright.process import Process
from podwright.runtime.container import executing, exit_directories, exits, place, staging
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.running import Runner
from podwright.runtime.handlers.oci import OciHandler, RuntimeStatus
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.timeline import Step

log = logging.getLogger(__name__)

KILLED_TIMEOUT_S = 5.0
STATE_TIMEOUT_S = 10.0  # of a question that takes milliseconds; nobody is served while we wait for the answer
ASKED_AT_ONCE = 32  # calls of OCI runtimes; the larger ones take 20 MB each
NO_STATUS = RuntimeStatus(status="", pid=0)


async def reconcile(env: ContainerEnvironment, runner: Runner, *, rebooted: bool) -> frozenset[ContainerId]:
    """Mend every record; the ids that run, but whose start the crash may have left without an answer, are returned.

    Containers are seen to side by side: one whose OCI runtime hangs keeps no other waiting. `rebooted`: no process on
    record is there any more, whoever has its number.
    """
    slots = asyncio.Semaphore(ASKED_AT_ONCE)
    states = await asyncio.gather(*(_mend(env, runner, each, slots, rebooted=rebooted) for each in env.store))
    await _remove_orphans(env)
    return frozenset(container_id for container_id in states if container_id is not None)


async def _mend(
    env: ContainerEnvironment, runner: Runner, container: Container, slots: asyncio.Semaphore, *, rebooted: bool
) -> ContainerId | None:
    """One record; its id when the container runs."""
    if container.state is ContainerState.CREATING or env.sandboxes.store.find(container.sandbox_id) is None:
        await forget(env, container)
        return None
    if container.state is ContainerState.EXITED:
        return None
    monitor = None if rebooted else Process.adopt(container.monitor_pid, container.monitor_start_time)
    if container.state is ContainerState.RUNNING:
        await asyncio.to_thread(executing.end_abandoned, env, container)
        runner.watch(container, monitor)
        return container.id
    async with slots:
        resumed = await _resume(env, runner, container, monitor)
    if resumed:
        return container.id
    if not await asyncio.to_thread(place.is_whole, env.paths(container.id)):
        write_off(env, container, "its files were lost")
    return None


def write_off(env: ContainerEnvironment, container: Container, why: str) -> None:
    """A container that can never be started any more has ended: a kubelet makes another one then."""
    container = env.store.get(container.id)
    if container.state is not ContainerState.CREATED:
        return
    log.warning("a container is given up: id=%s reason=%s", container.id[:12], why)
    env.store.observe(
        msgspec.structs.replace(
            container,
            state=ContainerState.EXITED,
            finished_at=env.store.now(),
            exit_code=exits.UNKNOWN_CODE,
            reason=exits.UNKNOWN,
            message=f"it was not started yet when {why}",
        )
    )


async def _resume(env: ContainerEnvironment, runner: Runner, container: Container, monitor: Process | None) -> bool:
    """A CREATED container whose start was interrupted: it runs, and is adopted, or it goes back to CREATED."""
    handler = env.handler_of_record(container)
    if not container.monitor_pid and not handler.knows(container.id):
        return False
    status = await _status(handler, container.id) if monitor is not None else NO_STATUS
    if status is not None and status.status == "running":
        log.info("adopting a container whose start was interrupted: id=%s", container.id[:12])
        record = msgspec.structs.replace(
            container, state=ContainerState.RUNNING, started_at=env.store.now(), pid=status.pid
        )
        runner.watch(env.store.put(record), monitor)
        return True
    log.info("taking back an interrupted start: id=%s", container.id[:12])
    if monitor is not None:
        monitor.kill_group()  # it may still be at work on the create
        await asyncio.wait(
            {asyncio.create_task(monitor.wait(), name="wait for a killed monitor")}, timeout=KILLED_TIMEOUT_S
        )
    await runner.clear(container, ask_runtime=status is not None)
    env.store.put(msgspec.structs.replace(container, monitor_pid=0, monitor_start_time=0))
    return False


async def _status(handler: OciHandler, container_id: ContainerId) -> RuntimeStatus | None:
    """What the runtime says of the container; no status when it has none, or fails; None when it hangs."""
    try:
        async with asyncio.timeout(STATE_TIMEOUT_S):
            return await handler.state(container_id) if handler.knows(container_id) else NO_STATUS
    except (TimeoutError, DeadlineExceeded):
        log.warning("the runtime hangs when asked for a container's state: id=%s", container_id[:12])
        return None
    except PodwrightError as failure:
        log.warning("the runtime does not tell a container's state: id=%s error=%s", container_id[:12], failure)
        return NO_STATUS


async def forget(env: ContainerEnvironment, container: Container) -> None:
    """Delete a container that ended, or that was never whole, with everything it has but its log."""
    with Step("files"):
        await asyncio.to_thread(place.unmake, env.paths(container.id))
    env.images.release(container.id)
    env.store.delete(container.id)


async def _remove_orphans(env: ContainerEnvironment) -> None:
    """Directories that no record knows of, and what was made ready for creates that a crash interrupted."""
    await asyncio.to_thread(staging.clear_all, env.state)
    for folder, mode in ((f"{env.state}/containers", 0o711), (f"{env.root}/containers", 0o700)):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, mode)  # pods with users of their own pass through the bundles' folder
        for name in os.listdir(folder):
            if env.store.find(name) is None:
                log.warning("removing an unknown container's directory: id=%s", name[:12])
                await asyncio.to_thread(place.unmake, env.paths(ContainerId(name)))
    for name in exit_directories.names(env.state):
        if env.store.find(name) is None:
            await asyncio.to_thread(place.unmake, env.paths(ContainerId(name)))
