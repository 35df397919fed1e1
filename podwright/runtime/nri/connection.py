"""The connection to a plug-in: both ttrpc sides over its mux."""

from __future__ import annotations

import asyncio
import logging

from podwright.errors import InvalidArgument
from podwright.runtime.nri import mux
from podwright.tasks import Tasks
from podwright.ttrpc.client import TtrpcClient
from podwright.ttrpc.server import Methods, ServedConnection

log = logging.getLogger(__name__)


class PluginConnection(asyncio.Protocol):
    """`client` calls the plug-in, which calls `methods`. `client.ended` tells when it is over."""

    def __init__(self, methods: Methods) -> None:
        self._decoder = mux.MuxDecoder()
        self._transport: asyncio.Transport | None = None
        self._ending = Tasks()
        self.client = TtrpcClient(lambda data: self._write(mux.PLUGIN, data), self.close)
        self._served = ServedConnection(methods, lambda data: self._write(mux.RUNTIME, data), self._read_or_not)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for connection, piece in self._decoder.feed(data):
                if connection == mux.PLUGIN:
                    self.client.receive(piece)
                elif connection == mux.RUNTIME:
                    self._served.receive(piece)
        except InvalidArgument as garbage:
            log.warning("an NRI plug-in sends garbage: error=%s", garbage)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # the calls learn of it
        self._transport = None
        self.client.lost()
        self._ending.start(self._served.lost(), name="end an NRI plug-in's calls")

    def _write(self, connection: int, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(mux.encode(connection, data))

    def _read_or_not(self, has_room: bool) -> None:  # ServedConnection's
        if self._transport is None or self._transport.is_closing():
            return
        if has_room:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()
