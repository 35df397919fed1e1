"""The stream of the Engine's events, and whether the Engine answers at all.

The stream of events ends with the Engine. It is opened again until the Engine is back, and then `found` is called, to
compare all records with what is there: events of the time in between are lost. No failure ends the feed for good,
because the ends of containers would not be noticed any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from podwright.errors import PodwrightError, Unavailable
from podwright.runtime.engines.docker.api.client import filters
from podwright.runtime.engines.docker.api.shapes import shaped
from podwright.runtime.engines.docker.host import EngineHost
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

WANTED = {
    "container": ("create", "die", "destroy"),
    "image": ("delete", "import", "load", "pull", "tag", "untag"),
}
FIRST_RETRY_S, LONGEST_RETRY_S = 0.2, 5.0
PING_EVERY_S = 5.0


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event: `name` is the container's, `attributes` depend on the action."""

    kind: str
    action: str
    name: str
    attributes: dict[str, str]


class EventFeed:
    """The stream of events."""

    def __init__(
        self, host: EngineHost, found: Callable[[], Awaitable[None]], happened: Callable[[EngineEvent], None]
    ) -> None:
        """`found` is awaited after each connection and each hang, `happened` called for each event.

        A failure of either counts as the Engine's: the stream is opened again.
        """
        self._host = host
        self._found = found
        self._happened = happened
        self._tasks = Tasks()
        self._delay_s = FIRST_RETRY_S
        self.trouble = ""  # why the Engine cannot be used now; empty: it can

    def start(self) -> None:
        """Listen from now on."""
        self._tasks.start(self._follow(), name="events of the Docker Engine")
        self._tasks.start(self._watch(), name="ping the Docker Engine")

    async def _follow(self) -> None:
        while True:
            self._delay_s = min(self._delay_s * 2, LONGEST_RETRY_S)
            try:
                await self._listen()
                failure: Exception = Unavailable("the Docker Engine ended the stream of events")
            except Exception as raised:  # noqa: BLE001 # as the module says
                failure = raised
            self._note_trouble("listen", failure)
            await asyncio.sleep(self._delay_s)

    async def _listen(self) -> None:
        """Until the stream ends. Raises PodwrightError, and what the callbacks raise."""
        await self._host.learn()
        events: asyncio.Queue[EngineEvent | None] = asyncio.Queue()
        begun = asyncio.Event()
        reading = self._tasks.job(self._read(events, begun), name="read events of the Docker Engine")
        try:
            await begun.wait()  # before the comparison, so that nothing falls in between
            if not reading.done():
                await self._found()
                log.info("listening to the Docker Engine: version=%s", self._host.facts.engine)
                self.trouble, self._delay_s = "", FIRST_RETRY_S
            while (event := await events.get()) is not None:
                self._happened(event)
            await reading
        finally:
            reading.cancel()

    async def _read(self, events: asyncio.Queue[EngineEvent | None], begun: asyncio.Event) -> None:
        query = filters(type=list(WANTED), event=[action for actions in WANTED.values() for action in actions])
        try:
            async for document in self._host.client.documents(
                "GET", "/events", "listen to events", query=query, begun=begun
            ):
                with shaped("listen to events"):
                    event = event_of(document)
                events.put_nowait(event)
        finally:
            begun.set()
            events.put_nowait(None)

    async def _watch(self) -> None:
        """Notice an Engine that hangs: its connections stay, and nothing comes."""
        hangs = False
        while True:
            await asyncio.sleep(PING_EVERY_S)
            try:
                await self._host.client.ping()
            except PodwrightError as failure:
                if not hangs:
                    log.warning("the Docker Engine does not answer: error=%s", failure)
                hangs, self.trouble = True, str(failure)
                continue
            if hangs:
                await self._catch_up()
                hangs = False

    async def _catch_up(self) -> None:
        """After a hang, in which calls ended at their deadline: what they were to do may be done, or not."""
        try:
            await self._found()
        except Exception as failure:  # noqa: BLE001 # as the module says
            self._note_trouble("compare", failure)
        else:
            self.trouble = ""

    def _note_trouble(self, step: str, failure: Exception) -> None:
        self.trouble = str(failure) or type(failure).__name__
        log.warning("lost the Docker Engine: step=%s error=%s", step, self.trouble)
        log.debug("lost the Docker Engine: step=%s", step, exc_info=failure)

    async def close(self) -> None:
        """Stop listening."""
        await self._tasks.close()


def event_of(document: dict[str, Any]) -> EngineEvent:
    """The event in a document of the stream. Pure."""
    actor = document.get("Actor") or {}
    attributes = {str(key): str(value) for key, value in (actor.get("Attributes") or {}).items()}
    return EngineEvent(
        kind=str(document.get("Type", "")),
        action=str(document.get("Action", "")).partition(":")[0],
        name=attributes.get("name", ""),
        attributes=attributes,
    )
