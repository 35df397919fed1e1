"""A runtime that shows the pods of one run only.

The agent's housekeeping ends pods that no source wants. A run shares its endpoint with other runs, and maybe with a
kubelet: it must not see what is not its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from podwright.agent.runtime.client import RuntimeClient
from podwright.agent.runtime.records import ContainerSummary, RuntimeEvent, SandboxSummary
from podwright.cri.client import CriClient

IsOwn = Callable[[str], bool]


class OwnRuntime(RuntimeClient):
    """See `CriRuntime`. Lists and events are filtered, calls about one object are not: who has its id may use it."""

    def __init__(self, cri: CriClient, is_own: IsOwn) -> None:
        """`is_own` says by a pod's UID whether the run has made it."""
        super().__init__(cri)
        self._is_own = is_own

    async def sandboxes(self) -> list[SandboxSummary]:
        """See CriRuntime."""
        return [each for each in await super().sandboxes() if self._is_own(each.pod_uid)]

    async def containers(self) -> list[ContainerSummary]:
        """See CriRuntime."""
        return [each for each in await super().containers() if self._is_own(each.pod_uid)]

    async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        """See CriRuntime."""
        async for event in super().events(begun):
            if not event.pod_uid or self._is_own(event.pod_uid):  # without a UID: what was removed is not named
                yield event
