"""Recovery of sandboxes at start: compares every record with the host."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.sandbox import host_parts
from podwright.runtime.sandbox.building import Builder
from podwright.runtime.sandbox.environment import SandboxEnvironment

log = logging.getLogger(__name__)


async def recover(env: SandboxEnvironment, builder: Builder, *, rebooted: bool) -> None:
    """Undo incomplete sandboxes, and find out which are intact.

    They are handled concurrently, so an OCI runtime that hangs for one delays no other. With `rebooted`, none is
    intact, even if its PIDs and paths exist.
    """
    await asyncio.gather(*(_recover(env, builder, sandbox, rebooted=rebooted) for sandbox in env.store))
    await env.network.recover([sandbox.id for sandbox in env.store if sandbox.attachment is not None])
    await _remove_unknown(env)  # last: CNI plugins need the namespaces to find what they made


async def _recover(env: SandboxEnvironment, builder: Builder, sandbox: Sandbox, *, rebooted: bool) -> None:
    if sandbox.state is SandboxState.CREATING:
        await builder.undo(sandbox)
    elif sandbox.state is SandboxState.READY:
        if rebooted or not host_parts.is_intact(sandbox.config, env.paths(sandbox.id)):
            log.warning("sandbox lost its namespaces: id=%s", sandbox.id[:12])
            env.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))
        elif sandbox.process:
            builder.watch(sandbox)
        else:
            await _stop_first_process(env, sandbox)


async def _stop_first_process(env: SandboxEnvironment, sandbox: Sandbox) -> None:
    """The daemon may have been killed during its start."""
    try:
        await env.first_processes.stop(sandbox, env.paths(sandbox.id))
    except Exception:
        if not env.handlers.is_foreign(sandbox.handler):
            raise
        log.exception("a handler does not stop a pod's first process: id=%s", sandbox.id[:12])


async def _remove_unknown(env: SandboxEnvironment) -> None:
    """Remove directories without a record."""
    folder = f"{env.state}/sandboxes"
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o711)  # pods with a user namespace need to traverse it
    for name in os.listdir(folder):
        if env.store.find(name) is None:
            log.warning("removing directory of unknown sandbox: id=%s", name[:12])
            await asyncio.to_thread(host_parts.unmake, env.paths(SandboxId(name)))
