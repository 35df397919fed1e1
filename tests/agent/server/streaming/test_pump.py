"""Bytes between two wires: both directions, half-closes, breaks, idleness, and a peer that does not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podwright.agent.server.streaming import pump as room
from podwright.agent.server.streaming.pump import pump
from podwright.conformance.patience import patient
from podwright.streams.wire import SocketWire

WAIT_S = patient(60.0)
IDLE_S = 1000.0


class Ends:
    """A client and a runtime with a pump between them."""

    def __init__(self, idle_timeout_s: float = IDLE_S) -> None:
        self.client, near = _pair()
        far, self.runtime = _pair()
        self._wires = SocketWire(near), SocketWire(far)
        self.pumping = asyncio.create_task(pump(*self._wires, idle_timeout_s=idle_timeout_s))

    async def over(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.pumping

    async def close(self) -> None:
        self.pumping.cancel()
        await asyncio.wait({self.pumping})
        for wire in self._wires:
            await wire.close()
        self.client.close()
        self.runtime.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    return one, other


async def receive(end: socket.socket, count: int = 1 << 16) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return await asyncio.get_running_loop().sock_recv(end, count)


async def send(end: socket.socket, data: bytes) -> None:
    async with asyncio.timeout(WAIT_S):
        await asyncio.get_running_loop().sock_sendall(end, data)


@pytest_asyncio.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    yield made
    await made.close()


async def test_both_directions(ends: Ends) -> None:
    await send(ends.client, b"question")
    assert await receive(ends.runtime) == b"question"
    await send(ends.runtime, b"answer")
    assert await receive(ends.client) == b"answer"


async def test_an_answer_after_the_end_of_the_question(ends: Ends) -> None:
    await send(ends.client, b"question")
    ends.client.shutdown(socket.SHUT_WR)
    assert await receive(ends.runtime) == b"question"
    assert await receive(ends.runtime) == b""
    await send(ends.runtime, b"answer")
    assert await receive(ends.client) == b"answer"
    ends.runtime.shutdown(socket.SHUT_WR)
    assert await receive(ends.client) == b""
    await ends.over()


async def test_what_a_client_says_after_the_runtime_has_ended(ends: Ends) -> None:
    ends.runtime.shutdown(socket.SHUT_WR)
    assert await receive(ends.client) == b""
    await send(ends.client, b"the rest")
    assert await receive(ends.runtime) == b"the rest"
    ends.client.close()
    await ends.over()


async def test_a_client_that_goes_does_not_keep_the_runtime(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SILENCE_S", 0.1)
    ends.client.close()
    assert await receive(ends.runtime) == b""
    await ends.over()


async def test_a_client_that_stays_after_the_runtime_has_ended_is_not_waited_for(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LINGER_S", 0.1)
    ends.runtime.shutdown(socket.SHUT_WR)
    await ends.over()


async def test_a_side_that_breaks_ends_both(ends: Ends) -> None:
    ends.runtime.close()
    await send(ends.client, b"x" * 1000)
    await ends.over()


async def test_a_stream_that_is_idle_is_closed() -> None:
    ends = Ends(idle_timeout_s=0.1)
    await ends.over()
    await ends.close()


async def test_what_is_not_read_is_not_gathered(ends: Ends) -> None:
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 64 * 1024 * 1024:
            async with asyncio.timeout(0.2):
                await asyncio.get_running_loop().sock_sendall(ends.client, b"x" * 65536)
            sent += 65536
    assert sent < 8 * 1024 * 1024  # sockets' buffers and one read
