"""CreateContainer: has the Engine make a container from a config. No process runs yet."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.runtime.container import targets, validate
from podwright.runtime.container.creating import new_record
from podwright.runtime.container.filesystem import devices, sources
from podwright.runtime.engines.docker import bodies, image_users, refusals
from podwright.runtime.engines.docker.cgroup_names import container_cgroup
from podwright.runtime.engines.docker.container_environment import EngineEnvironment
from podwright.runtime.engines.docker.host import EngineRecord
from podwright.runtime.model.container import (
    Container,
    ContainerConfig,
    ContainerSecurity,
    ContainerState,
    Mount,
)
from podwright.runtime.model.ids import ContainerId, new_id
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.oci_spec import capabilities
from podwright.runtime.security.profiles import localhost_profile

log = logging.getLogger(__name__)

NEWEST = frozenset({"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"})  # Engines of 20.10 may not know them


async def create(env: EngineEnvironment, sandbox: Sandbox, config: ContainerConfig) -> ContainerId:
    """Have the container made and set its record to CREATED. If a step fails, undo the earlier ones.

    Raises NotFound for the image, InvalidArgument and FailedPrecondition for the config, and what the Engine raises.
    """
    sandbox = env.sandboxes.get(sandbox.id)
    if sandbox.state is not SandboxState.READY:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready", hint="create a new sandbox")
    validate.check_image_handlers(config, env.sandboxes.handler)
    granted = env.limits(config.resources)
    refusals.check_container(sandbox, config, env.host.facts.security)
    refusals.check_resources(f"container {config.name}", granted)
    image = env.images.runnable(config.image.image)
    container_id = ContainerId(new_id())
    record = new_record(container_id, sandbox, config, image, created_at=env.store.now(), resources=granted)
    target = targets.target_of(env.store, sandbox.id, config)
    container = env.store.put(record)
    try:
        await asyncio.to_thread(devices.resolve, config, owned_by_user=False)  # raises for what is no device
        mounts = await asyncio.to_thread(sources.resolve, config, ours=(env.root, env.state))
        body = bodies.container_body(_inputs(env, sandbox, container, mounts, target))
        engine_id = await env.host.create(container.id, body, f"container {config.name}")
        state = await env.host.inspect(container.id)
        known_user = await image_users.resolve(env.host, container, image)
        env.store.put(
            msgspec.structs.replace(
                container,
                state=ContainerState.CREATED,
                user=known_user,
                cgroup=container_cgroup(sandbox.cgroup_parent, engine_id, systemd=env.host.facts.systemd),
                task=EngineRecord(id=engine_id, upper=state.upper if state is not None else "").part,
            )
        )
    except BaseException:
        await asyncio.shield(_undo(env, container))
        raise
    log.info("container is created: id=%s name=%s sandbox=%s", container.id[:12], config.name, sandbox.id[:12])
    return container.id


async def _undo(env: EngineEnvironment, container: Container) -> None:
    """What cannot be removed now is removed when the Engine is back, because its record stays CREATING."""
    try:
        await env.host.remove(container.id)
    except PodwrightError as failure:
        log.warning("cannot undo container: id=%s error=%s", container.id[:12], failure)
        return
    env.store.delete(container.id)


def known_capabilities(security: ContainerSecurity, held: frozenset[str]) -> tuple[str, ...]:
    """The capabilities to grant, without the newest ones unless they are named: ALL must work on every Engine.

    Raises InvalidArgument for an unknown name. Pure.
    """
    named = {name.upper().removeprefix("CAP_") for name in security.add_capabilities}
    granted = capabilities.granted(security, held)
    return tuple(name for name in granted if name not in NEWEST or name.removeprefix("CAP_") in named)


def _inputs(
    env: EngineEnvironment, sandbox: Sandbox, container: Container, mounts: tuple[Mount, ...], target: Container | None
) -> bodies.ContainerInputs:
    config = container.config
    return bodies.ContainerInputs(
        root=env.host.root,
        facts=env.host.facts,
        sandbox=sandbox,
        container=container,
        pause=EngineRecord.of(sandbox.process).id,
        target=EngineRecord.of(target.task).id if target is not None else "",
        runtime=sandbox.handler,
        files=env.files(sandbox.id),
        mounts=mounts,
        resources=container.resources,
        capabilities=known_capabilities(config.security, env.abilities.capabilities),
        stop_signal=container.stop_signal,
        default_seccomp=env.default_seccomp,
        localhost_seccomp=(
            None
            if config.security.privileged
            else localhost_profile(f"container {config.name}", config.security.seccomp)
        ),
    )
