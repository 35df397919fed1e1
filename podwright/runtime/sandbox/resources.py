"""What a pod as a whole may use. A kubelet limits the pod's cgroup by itself, before it tells us: we take note."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.runtime.model.base import Resources
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.sandbox.service import SandboxService


def note(
    sandboxes: SandboxService, sandbox_id: str, *, overhead: Resources | None, resources: Resources | None
) -> None:
    """Put what is given on record. Raises NotFound and ResourceExhausted."""
    sandbox = sandboxes.get(sandbox_id)
    sandboxes.store.put(
        msgspec.structs.replace(
            sandbox, overhead=overhead or sandbox.overhead, resources=resources or sandbox.resources
        )
    )


def told(sandbox: Sandbox) -> dict[str, Any]:
    """What was noted last, or asked for at first, as JSON shows it."""
    current = {
        "overhead": sandbox.overhead or sandbox.config.overhead,
        "resources": sandbox.resources or sandbox.config.resources,
    }
    return {name: msgspec.to_builtins(value) for name, value in current.items() if value is not None}
