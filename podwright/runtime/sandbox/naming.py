"""One sandbox per name: a repeated request joins the first one, or gets its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from podwright.errors import AlreadyExists
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.single_flight import SingleFlight
from podwright.runtime.state import Store

Runs = SingleFlight[tuple[str | int, ...], SandboxId]


def key(name: SandboxName) -> tuple[str | int, ...]:
    """What is unique among sandboxes."""
    return (name.namespace, name.name, name.uid, name.attempt)


async def run_once(
    store: Store[Sandbox],
    runs: Runs,
    config: SandboxConfig,
    handler: str,
    create: Callable[[], Coroutine[Any, Any, SandboxId]],
) -> SandboxId:
    """The sandbox of that config and handler, made by `create` if there is none.

    Raises AlreadyExists if a different or stopped sandbox has the name, and what `create` raises.
    """
    name = key(config.name)
    existing = store.named(name)
    if existing is None or existing.state is SandboxState.CREATING:
        made = await runs.join(name, create)
        existing = store.find(made)
        if existing is None or (existing.config, existing.handler) == (config, handler):
            return made
    elif existing.state is SandboxState.READY and (existing.config, existing.handler) == (config, handler):
        return existing.id
    raise AlreadyExists(
        f"sandbox {config.name.namespace}/{config.name.name} attempt {config.name.attempt} exists already as "
        f"{existing.id[:12]} ({existing.state})",
        hint="remove it, or increase the attempt number",
    )
