"""StartPodSandbox: a NOTREADY sandbox becomes READY again, under its id and if it can be with its addresses.

It was stopped from outside (a reboot, a kill of its first process, namespaces unmounted by hand) or by
StopPodSandbox: what is left of it is the same, hence so is the way back. Its containers end first: they lived in
namespaces that are no more.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.sandbox import place
from podwright.runtime.sandbox.building import Builder
from podwright.runtime.sandbox.occupants import Occupants

log = logging.getLogger(__name__)


async def revive(builder: Builder, occupants: Occupants, sandbox_id: SandboxId) -> None:
    """Make the sandbox anew in its own place. A whole READY one is left alone.

    Raises FailedPrecondition when its handler is gone, and what RunPodSandbox raises; it is NOTREADY then, with
    nothing left that StopPodSandbox would not find.
    """
    sandbox = builder.store.get(sandbox_id)
    if sandbox.state is SandboxState.READY and is_whole(builder, sandbox):
        return
    try:
        builder.handlers.get(sandbox.handler)
    except InvalidArgument as gone:
        raise FailedPrecondition(f"sandbox {sandbox_id[:12]} cannot be started: {gone.message}") from gone
    if sandbox.state is SandboxState.READY:
        sandbox = builder.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))
    await occupants.write_off(sandbox_id)
    await builder.tear_down(sandbox)
    await asyncio.to_thread(place.unmake, builder.paths(sandbox_id))
    try:
        await builder.build(builder.store.get(sandbox_id))
    except BaseException:
        await asyncio.shield(builder.tear_down(builder.store.get(sandbox_id)))
        raise
    name = sandbox.config.name
    log.info("sandbox is ready again: id=%s pod=%s/%s", sandbox_id[:12], name.namespace, name.name)


def is_whole(builder: Builder, sandbox: Sandbox) -> bool:
    """Whether everything that a READY sandbox consists of is there."""
    alive = not sandbox.process or builder.handlers.of_record(sandbox.handler).has_sandbox(sandbox.process)
    return alive and place.is_intact(sandbox.config, builder.paths(sandbox.id))
