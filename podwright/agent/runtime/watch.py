"""Checks every few seconds whether the runtime and its network are ready."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from podwright.agent.clock import Clock, utc_now
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import CriCondition, RuntimeState, RuntimeVersion
from podwright.errors import PodwrightError, Unavailable
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")

PERIOD_S = 5.0
SILENT_S = 30.0  # a runtime that has not answered for so long is down (the kubelet's runtimeState)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0  # between tries at the start
QUIET_S, REMIND_S = 5.0, 60.0  # until the log says that a call hangs, and until it says so again
START_IT = "start it, or choose another one with --container-runtime-endpoint"
NOT_ASKED = CriCondition(status=False, reason="NotAsked", message="the runtime was not asked yet")


def _say_silent() -> None:
    """Log that the runtime is silent.

    A hung call fails only after minutes, and until then nothing else shows it.
    """
    log.warning("the runtime does not answer, it or the machine may hang: silent=%gs", SILENT_S)


class _FirstWait:
    """Logs why the agent waits at its start: when the reason changes, and from time to time."""

    def __init__(self, endpoint: str, since: datetime, remedy: str) -> None:
        self._endpoint = endpoint
        self._remedy = remedy
        self._since = since
        self._reason = "it has not answered the first call yet"
        self._next = asyncio.get_running_loop().call_later(QUIET_S, self._log)

    def failed(self, reason: str) -> None:
        """Log the reason if it is new."""
        if reason != self._reason:
            self._reason = reason
            self._log()

    def end(self) -> None:
        """Stop logging."""
        self._next.cancel()

    def _log(self) -> None:
        self._next.cancel()
        self._next = asyncio.get_running_loop().call_later(REMIND_S, self._log)
        log.warning(
            "the agent waits for a container runtime: endpoint=%s since=%s reason=%s remedy=%s",
            self._endpoint,
            self._since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            self._reason,
            self._remedy,
        )


class RuntimeWatch:
    """Keeps the newest answer of RPC Status."""

    def __init__(
        self, runtime: CriRuntime, clock: Clock, waits: Callable[[], None] = lambda: None, remedy: str = START_IT
    ) -> None:
        """`waits` is called whenever the runtime does not answer while the agent starts.

        `remedy` tells people what to do about that.
        """
        self._remedy = remedy
        self._runtime = runtime
        self._clock = clock
        self._waits = waits
        self._tasks = Tasks()
        self._state = RuntimeState(runtime=NOT_ASKED, network=NOT_ASKED)
        self._answered_at: float | None = None
        self._failure = ""
        self.version = RuntimeVersion(name="", version="", api_version="")

    @property
    def state(self) -> RuntimeState:
        """The conditions and features in the last answer."""
        return self._state

    async def first_answer(self, endpoint: str) -> None:
        """Wait until the runtime answers, without a limit. The log says why the agent waits."""
        pause_s, wait = FIRST_PAUSE_S, _FirstWait(endpoint, utc_now(self._clock), self._remedy)
        try:
            while not await self._answers(wait):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            wait.end()
        log.info("the runtime answers: endpoint=%s name=%s version=%s", endpoint, *self._name())

    async def insisted(self, ask: Callable[[], Awaitable[T]], endpoint: str) -> T:
        """Call `ask` until it succeeds: a runtime may end while the agent starts."""
        while True:
            try:
                return await ask()
            except Unavailable as failure:
                log.warning("the runtime has gone while the agent starts: endpoint=%s error=%s", endpoint, failure)
            await asyncio.sleep(LONGEST_PAUSE_S)  # `ask` may call another service than the check below
            await self.first_answer(endpoint)

    async def _answers(self, wait: _FirstWait) -> bool:
        """Whether the runtime answers now. If not, `wait` gets the reason."""
        try:
            self.version = await self._runtime.version()
            await self.ask()
        except PodwrightError as failure:
            self._failure = str(failure)
            self._waits()
            wait.failed(self._failure)
            return False
        return True

    def _name(self) -> tuple[str, str]:
        return self.version.name, self.version.version

    def start(self) -> None:
        """Start to check."""
        self._tasks.start(self._ask_forever(), name="runtime status")

    async def close(self) -> None:
        """Stop checking."""
        await self._tasks.close()

    async def _ask_forever(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            silent = asyncio.get_running_loop().call_later(SILENT_S - PERIOD_S, _say_silent)
            try:
                await self.ask()
            except PodwrightError as failure:
                if str(failure) != self._failure:
                    log.warning("the runtime does not report its status: error=%s", failure)
                self._failure = str(failure)
            finally:
                silent.cancel()

    async def ask(self) -> None:
        """Check now. Raises PodwrightError if there is no answer."""
        before = self._state
        self._state = await self._runtime.state()
        self._answered_at = self._clock.monotonic()
        self._failure = ""
        for name, old, new in (
            ("runtime", before.runtime, self._state.runtime),
            ("network", before.network, self._state.network),
        ):
            if old.status and not new.status:
                log.warning("the node is not ready: part=%s reason=%s message=%s", name, new.reason, new.message)
            elif new.status and not old.status and old is not NOT_ASKED:
                log.info("the node is ready again: part=%s", name)

    def problem(self) -> str:
        """Why pods cannot be synced. Empty if they can."""
        if self._answered_at is None:
            return f"the runtime has not answered yet: {self._failure}" if self._failure else NOT_ASKED.message
        silent_s = self._clock.monotonic() - self._answered_at
        if silent_s > SILENT_S:
            why = f": {self._failure}" if self._failure else ""
            return f"the runtime has not answered for more than {SILENT_S:g} s{why}"
        condition = self._state.runtime
        return "" if condition.status else f"the runtime is not ready: {condition.reason} {condition.message}".strip()

    def network_problem(self) -> str:
        """Why the network is not ready. Empty if it is."""
        condition = self._state.network
        return "" if condition.status else f"{condition.reason}: {condition.message}"
