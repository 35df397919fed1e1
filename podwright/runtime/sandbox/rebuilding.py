"""Makes a NOTREADY sandbox READY again, under its id and, if possible, with its addresses.

It was stopped by StopPodSandbox or from outside: by a reboot, a kill of its first process, or an unmount of its
namespaces. The same parts remain in all cases, and they are made again in the same place. `pods` calls the steps in
order. The pod's containers end in between, because they lived in namespaces that no longer exist.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.sandbox import host_parts
from podwright.runtime.sandbox.building import Builder
from podwright.runtime.sandbox.environment import SandboxEnvironment

log = logging.getLogger(__name__)


def note_lost(env: SandboxEnvironment, sandbox: Sandbox) -> None:
    """Set the sandbox to NOTREADY, whatever its record says. Raises FailedPrecondition if its handler is gone."""
    try:
        env.handlers.get(sandbox.handler)
    except InvalidArgument as gone:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} cannot be started: {gone.message}") from gone
    if sandbox.state is SandboxState.READY:
        env.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))


async def rebuild(env: SandboxEnvironment, builder: Builder, sandbox: Sandbox) -> None:
    """Make it again in its place. Raises what RunPodSandbox raises.

    After a failure it is NOTREADY, and StopPodSandbox finds all that is left.
    """
    await builder.tear_down(sandbox)
    await asyncio.to_thread(host_parts.unmake, env.paths(sandbox.id))
    try:
        await builder.build(env.store.get(sandbox.id))
    except BaseException:
        await asyncio.shield(builder.tear_down(env.store.get(sandbox.id)))
        raise
    name = sandbox.config.name
    log.info("sandbox is ready again: id=%s pod=%s/%s", sandbox.id[:12], name.namespace, name.name)


def is_whole(env: SandboxEnvironment, sandbox: Sandbox) -> bool:
    """Whether it is READY and all its parts exist."""
    if sandbox.state is not SandboxState.READY:
        return False
    alive = not sandbox.process or env.handlers.of_record(sandbox.handler).has_sandbox(sandbox.process)
    return alive and host_parts.is_intact(sandbox.config, env.paths(sandbox.id))
