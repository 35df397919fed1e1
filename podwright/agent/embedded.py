"""The embedded runtime (`--embedded`): a `podwright serve` of the agent's own, for machines without a CRI server.

The agent starts it, and starts it again if it ends. If the runtime of a killed agent still runs, the agent uses that
one. The runtime stops at the agent's end. Containers run on, and the next runtime adopts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from podwright.cri.client import CriClient
from podwright.cri.endpoint import normalise
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from podwright.process import Command, Process, ProcessRunner
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 15.0
START_TIMEOUT_S, POLL_S = 60.0, 0.05
PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


class EmbeddedRuntime:
    """The embedded runtime. Its files are below the agent's root directory, its sockets below `state`."""

    def __init__(self, root: str, state: str, runner: ProcessRunner) -> None:
        self._root = f"{root}/runtime"
        self._state = state
        self._runner = runner
        self._tasks = Tasks()
        self._process: Process | None = None
        self.endpoint = normalise(f"{state}/podwright.sock")

    async def start(self) -> None:
        """Start the runtime unless it answers, and wait until it does, at most START_TIMEOUT_S.

        The agent waits on for it as for any other runtime.
        """
        if await self._answers():
            log.info("an embedded runtime runs already: endpoint=%s", self.endpoint)
            return
        os.makedirs(self._state, mode=0o711, exist_ok=True)
        self._process = self._spawn()
        self._tasks.start(self._watch(), name="embedded runtime")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self._answers():  # noqa: ASYNC110 # another process answers
                    await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Stop the runtime that was started here."""
        await self._tasks.close()
        if self._process is None:
            return
        self._process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("the embedded runtime does not end, it is killed")
            self._process.kill_group()

    def _spawn(self) -> Process:
        places = (f"--root={self._root}", f"--state={self._state}", f"--listen={self.endpoint}")
        argv = (sys.executable, "-m", "podwright", "serve", *places)
        with open(os.devnull, "rb") as nothing:
            return self._runner.start(
                Command(argv=argv, timeout_s=None, env=dict(os.environ), fds={0: nothing.fileno(), 1: 2, 2: 2})
            )

    async def _watch(self) -> None:
        pause_s = PAUSE_S
        while self._process is not None:
            began = asyncio.get_running_loop().time()
            code = await self._process.wait()
            log.error("the embedded runtime has ended and is started again: code=%d", code)
            lasted_s = asyncio.get_running_loop().time() - began
            pause_s = PAUSE_S if lasted_s > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)
            self._process = self._spawn()

    async def _answers(self) -> bool:
        async with CriClient(self.endpoint) as cri:
            try:
                await cri.call(cri.runtime.Version, api.VersionRequest(), PROBE_TIMEOUT_S)
            except PodwrightError:
                return False
        return True
