"""Lists the whole node: two List calls, then a look at each pod that has changed."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from podwright.agent.clock import Clock
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pleg.changes import Stage, stage_of_container, stage_of_sandbox, stages
from podwright.agent.runtime.protocol import CriRuntime
from podwright.errors import PodwrightError

log = logging.getLogger(__name__)

AT_ONCE = 8  # pods that are looked at concurrently


async def relist(runtime: CriRuntime, cache: StatusCache, clock: Clock) -> None:
    """Bring the cache up to date. Raises PodwrightError if a List call fails.

    If the look at a pod fails, its cache entry stays, and the next relist tries again.
    """
    began = clock.monotonic()
    sandboxes, containers = await asyncio.gather(runtime.sandboxes(), runtime.containers())
    listed: dict[str, dict[str, Stage]] = defaultdict(dict)
    for sandbox in sandboxes:
        listed[sandbox.pod_uid][sandbox.id] = stage_of_sandbox(sandbox.state)
    for container in containers:
        listed[container.pod_uid][container.id] = stage_of_container(container.state)
    known = {pod.uid: stages(pod) for pod in cache.all()}
    changed = [uid for uid in {**known, **listed} if known.get(uid, {}) != listed.get(uid, {})]
    limit, unseen = asyncio.Semaphore(AT_ONCE), set[str]()

    async def look(uid: str) -> None:
        async with limit:
            try:
                await cache.look(uid)
            except PodwrightError as failure:
                unseen.add(uid)
                log.warning("cannot look at a pod: uid=%s error=%s", uid, failure)

    await asyncio.gather(*(look(uid) for uid in changed))
    cache.listed(began, unseen)
