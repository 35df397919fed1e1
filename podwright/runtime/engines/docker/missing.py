"""The calls that an Engine cannot serve. Each answers with an error that names the alternative."""

from __future__ import annotations

from podwright.errors import Unimplemented
from podwright.runtime.model.ids import ContainerId, SandboxId


def unimplemented(what: str, hint: str = 'use engine = "native"') -> Unimplemented:
    """The error for `what`."""
    return Unimplemented(f"{what} on a Docker Engine", hint=hint)


class NoCheckpoints:
    """A CheckpointEngine. The Engine's own checkpoints are experimental, stop the container and have no archive."""

    async def container(self, *_: object) -> None:
        """Raises Unimplemented."""
        raise unimplemented("containers cannot be checkpointed")

    async def pod(self, *_: object) -> None:
        """Raises Unimplemented."""
        raise unimplemented("pods cannot be checkpointed")


class NoRestores:
    """A RestoreEngine."""

    async def pod(self, *_: object) -> tuple[SandboxId, dict[str, ContainerId]]:
        """Raises Unimplemented."""
        raise unimplemented("pods cannot be restored")
