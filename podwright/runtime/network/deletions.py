"""Deletes links of detached pods in the background. Usually the kernel does it.

A pod's namespace is released right after its link was set down. The kernel then deletes everything in it, including
the other end of the link, for many namespaces at once. Deleting a link before that takes the lock of all network
changes for 20 ms, in which no other pod can be attached. So we delete a link only if the namespace still exists after
a moment, or at once if the address is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import msgspec

from podwright.runtime.model.ids import SandboxId
from podwright.tasks import Tasks

GRACE_S = 0.3  # the kernel needs 20 to 50 ms
FINISH_TIMEOUT_S = 10.0


class _Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """A deletion in progress. `hurry` ends the delay."""

    task: asyncio.Task[None]
    hurry: asyncio.Event


class Deletions:
    """The deletions of one network."""

    def __init__(self) -> None:
        self._under_way: dict[SandboxId, _Deletion] = {}
        self._tasks = Tasks()

    def __contains__(self, sandbox_id: SandboxId) -> bool:
        return sandbox_id in self._under_way

    def __iter__(self) -> Iterator[SandboxId]:
        return iter(tuple(self._under_way))

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, sandbox_id: SandboxId, delete: Callable[[], Awaitable[None]]) -> None:
        """Call `delete` after a delay. It must accept an absent link."""
        hurry = asyncio.Event()
        task = self._tasks.start(self._run(sandbox_id, delete, hurry), name=f"delete link {sandbox_id[:12]}")
        self._under_way[sandbox_id] = _Deletion(task=task, hurry=hurry)

    async def _run(self, sandbox_id: SandboxId, delete: Callable[[], Awaitable[None]], hurry: asyncio.Event) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await hurry.wait()
            await delete()
        finally:
            del self._under_way[sandbox_id]

    async def finish(self, *sandbox_ids: SandboxId) -> None:
        """Finish the deletions of these sandboxes, or all, now."""
        wanted = [self._under_way[key] for key in sandbox_ids or self if key in self._under_way]
        for deletion in wanted:
            deletion.hurry.set()
        if wanted:
            await asyncio.wait([deletion.task for deletion in wanted], timeout=FINISH_TIMEOUT_S)
