"""Removes what pods have on disk. A pod has one removal at a time, and none while a thread sets up its volumes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from podwright.agent.pods.places import pod_directory
from podwright.agent.volumes.state import FIRST_PAUSE_S, LONGEST_PAUSE_S
from podwright.agent.volumes.threads import Work
from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError


class Remover:
    """Runs the functions of `teardown`. `root` is the agent's root directory.

    `before` is called first, with the pod's UID. It may raise PodwrightError and OSError.
    """

    def __init__(self, root: str, work: Work, before: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._root = root
        self._work = work
        self._before = before
        self._going: set[str] = set()

    async def remove(self, uid: str, remove: Callable[[str], None], limit_s: float) -> None:
        """Call `remove` with the pod's directory until it succeeds.

        Only threads that already run may still set up volumes of the pod. After `limit_s` raises DeadlineExceeded with
        the last problem. Raises FailedPrecondition if another removal runs.
        """
        directory = pod_directory(self._root, uid)
        if uid in self._going:
            raise FailedPrecondition(f"the volumes of pod {uid} are being removed already", hint="wait for that")
        self._going.add(uid)
        problem, pause_s = "an earlier step has not ended", FIRST_PAUSE_S
        try:
            async with asyncio.timeout(limit_s):
                await self._work.settled(uid)
                await self._work.settled(removal(uid))
                while True:
                    try:
                        if self._before is not None:
                            await self._before(uid)
                        await self._work.run(removal(uid), partial(remove, directory))
                    except (PodwrightError, OSError) as failure:
                        problem = str(failure)
                    else:
                        return
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        except TimeoutError:
            raise DeadlineExceeded(f"the volumes of pod {uid} cannot be removed: {problem}") from None
        finally:
            self._going.discard(uid)

    def is_removing(self, uid: str) -> bool:
        """Whether `remove` is at work for the pod."""
        return uid in self._going

    async def finished(self, uid: str) -> None:
        """Wait for the threads of given-up removals of the pod. Raises FailedPrecondition while a removal runs."""
        if uid in self._going:
            raise FailedPrecondition(f"the volumes of pod {uid} are being removed", hint="they are set up afterwards")
        await self._work.settled(removal(uid))  # a removal may have been given up while its thread runs


def removal(uid: str) -> str:
    """The key of calls that remove a pod's volumes: see Work."""
    return f"removal of {uid}"
