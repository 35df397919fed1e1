"""A runtime that shows only an agent's own pods.

Several agents may share an endpoint: that of the node, and those of `podwright run`. Housekeeping ends pods that no
source wants, so an agent must not see the pods of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from podwright.agent.runtime.client import RuntimeClient
from podwright.agent.runtime.records import ContainerSummary, RuntimeEvent, SandboxSummary
from podwright.cri.client import DEFAULT_TIMEOUT_S, CriClient

IsOwn = Callable[[str], bool]


class OwnRuntime(RuntimeClient):
    """See `CriRuntime`.

    Lists and events are filtered. Calls about one object need no filter: its id comes from a filtered list.
    """

    def __init__(self, cri: CriClient, is_own: IsOwn, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """`is_own` returns whether the pod with a UID is the agent's own.

        `timeout_s` is the deadline of an ordinary call.
        """
        super().__init__(cri, timeout_s)
        self._is_own = is_own

    async def sandboxes(self) -> list[SandboxSummary]:
        return [each for each in await super().sandboxes() if self._is_own(each.pod_uid)]

    async def containers(self) -> list[ContainerSummary]:
        return [each for each in await super().containers() if self._is_own(each.pod_uid)]

    async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        async for event in super().events(begun):
            # The event of a removed sandbox may lack its pod's UID.
            if not event.pod_uid or self._is_own(event.pod_uid):
                yield event
