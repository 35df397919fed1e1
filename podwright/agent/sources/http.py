"""Static pods from a URL (staticPodURL): a Pod or a list of pods, requested every `period_s`.

If a request fails, or its answer is invalid, the pods of the last answer stay.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping

import aiohttp

from podwright.agent.sources.changes import HTTP
from podwright.agent.sources.manifest import read_pods
from podwright.agent.sources.static import static_pod
from podwright.errors import InvalidArgument, PodwrightError, Unavailable
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

ANSWER_LIMIT_BYTES = 10 * 1024 * 1024
TIMEOUT_S = 10.0
IDENTITY = ("Accept-Encoding", "identity")


class HttpSource:
    """The source for one URL."""

    def __init__(
        self, url: str, headers: Mapping[str, tuple[str, ...]], node_name: str, *, period_s: float = 20.0
    ) -> None:
        self._url = url
        self._headers = [(name, value) for name, values in headers.items() for value in values]
        self._node_name = node_name
        self._period_s = period_s
        self._digest = b""  # of the last answer, which may be invalid
        self._problem = ""

    async def sets(self) -> AsyncIterator[list[Pod]]:
        """Yield the complete set of pods whenever the answer has changed. Never ends."""
        while True:
            try:
                pods = await self._ask()
                self._problem = ""
                if pods is not None:
                    yield pods
            except PodwrightError as failure:
                if str(failure) != self._problem:
                    log.error("cannot read pods: error=%s", failure)  # noqa: TRY400 # one line says it
                self._problem = str(failure)
            except Exception:  # a bug in the reader must not end the source
                log.exception("an answer cannot be taken apart: url=%s", self._url)
            await asyncio.sleep(self._period_s)

    async def _ask(self) -> list[Pod] | None:
        """Request the pods. None if the answer is the same as before, valid or not. Raises PodwrightError."""
        data = await self._get()
        digest = hashlib.sha256(data).digest()
        if digest == self._digest:
            return None
        self._digest = digest
        if not data.strip():
            raise InvalidArgument(f"{self._url} gave an empty answer")
        return await asyncio.to_thread(self._read, data)

    def _read(self, data: bytes) -> list[Pod]:
        """Read the pods. Blocks: a large answer takes seconds."""
        return [
            static_pod(pod, source=HTTP, origin=self._url, node_name=self._node_name)
            for pod in read_pods(data, self._url)
        ]

    async def _get(self) -> bytes:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                # No compression: a few KiB could become GiB in memory before they are counted.
                aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session,
                session.get(self._url, headers=[*self._headers, IDENTITY]) as answer,
            ):
                if answer.status != 200:
                    raise Unavailable(f"{self._url} answered {answer.status} {answer.reason}")
                data = await answer.content.read(ANSWER_LIMIT_BYTES + 1)
                while not answer.content.at_eof() and len(data) <= ANSWER_LIMIT_BYTES:
                    data += await answer.content.read(ANSWER_LIMIT_BYTES + 1 - len(data))
        except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
            raise Unavailable(f"{self._url} does not answer: {failure or type(failure).__name__}") from failure
        if len(data) > ANSWER_LIMIT_BYTES:
            raise InvalidArgument(f"{self._url} gave more than {ANSWER_LIMIT_BYTES >> 20} MiB")
        return data
