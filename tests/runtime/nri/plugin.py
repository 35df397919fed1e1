"""A plug-in as others write them: NRI's wire protocol over a socket, with answers that a test gives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from podwright.conformance.patience import patient
from podwright.runtime.nri import mux
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.plugin import PLUGIN_SERVICE, RUNTIME_SERVICE
from podwright.ttrpc.client import TtrpcClient
from podwright.ttrpc.server import ServedConnection

PATIENCE_S = patient(60.0)
Answer = Callable[[bytes], Awaitable[Message]]
REQUESTS = {
    name.removesuffix("Request"): kind
    for name, kind in vars(pb).items()
    if name.endswith("Request") and isinstance(kind, type)
}


class ScriptedPlugin(asyncio.Protocol):
    """Notes what it is asked as (method, request), and answers with what `answers` has for a method."""

    def __init__(
        self, *, events: int = 0, answers: Mapping[str, Message | Exception | float | bytes] | None = None
    ) -> None:
        """An answer may be an exception, a time in seconds for which there is none, or any bytes."""
        self.events = events
        self.answers = dict(answers or {})
        self.asked: list[tuple[str, Message]] = []
        self._decoder = mux.MuxDecoder()
        self.ended = asyncio.Event()
        methods = {(PLUGIN_SERVICE, name): self._method(name) for name in (*REQUESTS, "Shutdown")}
        self._served = ServedConnection(methods, lambda data: self._write(mux.PLUGIN, data))
        self.client = TtrpcClient(lambda data: self._write(mux.RUNTIME, data), lambda: None)

    def _method(self, name: str) -> Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]:
        async def method(payload: bytes, _: Mapping[str, str]) -> bytes:
            kind: type[Message] = REQUESTS.get(name, pb.Empty)
            request: Any = kind.FromString(payload)
            self.asked.append((name, request))
            answer = self.answers.get(name, pb.Empty())
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, int | float):
                await asyncio.sleep(answer)
                return b""
            if isinstance(answer, bytes):
                return answer
            if name == "Configure" and isinstance(answer, pb.Empty):
                return pb.ConfigureResponse(events=self.events).SerializeToString()
            if name == "Synchronize" and isinstance(answer, pb.Empty):
                return pb.SynchronizeResponse(more=request.more).SerializeToString()
            return answer.SerializeToString()

        return method

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for connection, piece in self._decoder.feed(data):
            if connection == mux.PLUGIN:
                self._served.receive(piece)
            else:
                self.client.receive(piece)

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.lost()
        self.ended.set()

    def _write(self, connection: int, data: bytes) -> None:
        self.transport.write(mux.encode(connection, data))

    async def call(self, method: str, request: Message) -> bytes:
        """Call the runtime."""
        return await self.client.call(RUNTIME_SERVICE, method, request.SerializeToString(), timeout_s=PATIENCE_S)

    def heard(self, *without: str) -> list[str]:
        """The methods that it was asked, in order."""
        return [name for name, _ in self.asked if name not in without]

    async def hears(self, method: str) -> Message:
        """The first request of a method, once it has come."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for name, request in self.asked:
                    if name == method:
                        return request
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def connected(
    path: Path,
    *,
    name: str = "test",
    index: str = "10",
    synchronized: bool = True,
    plugin: ScriptedPlugin | None = None,
) -> AsyncIterator[ScriptedPlugin]:
    """A plug-in that takes part at the socket `path`."""
    loop = asyncio.get_running_loop()
    made = plugin or ScriptedPlugin()
    await loop.create_unix_connection(lambda: made, str(path))
    try:
        await made.call("RegisterPlugin", pb.RegisterPluginRequest(plugin_name=name, plugin_idx=index))
        if synchronized:
            await made.hears("Synchronize")
        yield made
    finally:
        made.transport.abort()
        await made._served.lost()
