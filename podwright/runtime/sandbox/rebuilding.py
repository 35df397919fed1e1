"""A NOTREADY sandbox becomes READY again, under its id and if it can be with its addresses.

It was stopped from outside (a reboot, a kill of its first process, namespaces unmounted by hand) or by StopPodSandbox.
What remains is the same in all cases, so it is made anew in its own place. `pods` calls the steps in order: its
containers end in between, because they lived in namespaces that no longer exist.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.sandbox import place
from podwright.runtime.sandbox.building import Builder

log = logging.getLogger(__name__)


def note_lost(builder: Builder, sandbox: Sandbox) -> None:
    """It is not READY, whatever its record says. Raises FailedPrecondition when its handler is gone."""
    try:
        builder.handlers.get(sandbox.handler)
    except InvalidArgument as gone:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} cannot be started: {gone.message}") from gone
    if sandbox.state is SandboxState.READY:
        builder.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))


async def rebuild(builder: Builder, sandbox: Sandbox) -> None:
    """Make it anew in its own place. Raises what RunPodSandbox raises.

    It is NOTREADY then, with nothing left that StopPodSandbox would not find.
    """
    await builder.tear_down(sandbox)
    await asyncio.to_thread(place.unmake, builder.paths(sandbox.id))
    try:
        await builder.build(builder.store.get(sandbox.id))
    except BaseException:
        await asyncio.shield(builder.tear_down(builder.store.get(sandbox.id)))
        raise
    name = sandbox.config.name
    log.info("sandbox is ready again: id=%s pod=%s/%s", sandbox.id[:12], name.namespace, name.name)


def is_whole(builder: Builder, sandbox: Sandbox) -> bool:
    """Whether it is READY, and everything is there that it consists of."""
    if sandbox.state is not SandboxState.READY:
        return False
    alive = not sandbox.process or builder.handlers.of_record(sandbox.handler).has_sandbox(sandbox.process)
    return alive and place.is_intact(sandbox.config, builder.paths(sandbox.id))
