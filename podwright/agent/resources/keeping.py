"""Keeps the cgroup tree up to date with the pods: updates the classes' weights, and removes cgroups of gone pods."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.protocol import QosCgroups
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PERIOD_S = 60.0
SETTLE_S = 0.5  # for pods that come together, the weights change once


class PodCgroups:
    """The `EngineCgroups` of the engine."""

    def __init__(self, tree: QosCgroups, pods: Callable[[], list[Pod]], has_volumes: Callable[[str], bool]) -> None:
        """`pods` returns those that run or will run.

        A gone pod that still has volumes keeps its cgroup, with little CPU.
        """
        self._tree = tree
        self._pods = pods
        self._has_volumes = has_volumes
        self._tasks = Tasks()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Make the root. Raises PodwrightError."""
        await self._tree.ensure_root()
        self._changed.set()
        self._tasks.start(self._update_forever(), name="cgroups of QoS classes")

    async def close(self) -> None:
        """Stop updating. Cgroups stay."""
        await self._tasks.close()

    def parent_of(self, pod: Pod) -> str:
        return self._tree.parent_of(pod)

    def exists(self, pod: Pod) -> bool:
        return self._tree.exists(pod)

    async def ensure(self, pod: Pod) -> None:
        await self._tree.ensure(pod)
        self._changed.set()

    def wanted(self, pod: Pod) -> CgroupLimits:
        return self._tree.wanted(pod)

    def current(self, pod: Pod) -> CgroupLimits | None:
        return self._tree.current(pod)

    async def limit(self, pod: Pod, limits: CgroupLimits) -> None:
        await self._tree.limit(pod, limits)
        self._changed.set()

    async def remove(self, uid: str) -> None:
        await self._tree.remove(uid)
        self._changed.set()

    async def retain(self, uids: Collection[str]) -> None:
        """Remove the cgroups of all other pods."""
        for uid in self._tree.found() - set(uids):
            if self._has_volumes(uid):
                await self._tree.reduce_cpu(uid)
                continue
            log.info("removing the cgroup of a pod that is gone: uid=%s", uid)
            await self._tree.remove(uid)

    async def _update_forever(self) -> None:
        failure = ""
        while True:
            try:
                async with asyncio.timeout(PERIOD_S):
                    await self._changed.wait()
                await asyncio.sleep(SETTLE_S)
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self._tree.update_qos(self._pods())
                failure = ""
            except (PodwrightError, OSError) as problem:
                if str(problem) != failure:
                    log.warning("the cgroups of QoS classes cannot be updated: error=%s", problem)
                failure = str(problem)
