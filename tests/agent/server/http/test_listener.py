"""HTTP on a real socket: what clients do well, and what they do badly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from podwright.agent.server.http import exchange
from podwright.agent.server.http.listener import HttpListener, Limits
from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse, Takeover, text
from podwright.agent.server.http.sockets import listen_tcp
from podwright.conformance.patience import patient
from podwright.streams.wire import Wire

WAIT_S = patient(60.0)


class Scene:
    """A server, and what its handlers noticed."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.slow_began = asyncio.Event()
        self.listener: HttpListener | None = None

    async def serve(self, request: HttpRequest) -> Answer:
        match request.path:
            case "/echo":
                return text(f"{request.method} {request.parameter('q')} {request.body.decode()}")
            case "/parts":
                return HttpResponse(body=self._parts(3))
            case "/endless":
                return HttpResponse(body=self._parts(None))
            case "/slow":
                return await self._slow()
            case "/upgrade":
                return Takeover(headers=(("upgrade", "echo"),), session=self._echo, abandon=self._abandon)
        return text("404: Page Not Found", 404)

    async def _parts(self, count: int | None) -> AsyncIterator[bytes]:
        try:
            for number in range(count or 1_000_000_000):
                yield b"part %d\n" % number if count else bytes(64 * 1024)
        finally:
            self.ended.append("parts")

    async def _slow(self) -> Answer:
        try:
            self.slow_began.set()
            await asyncio.sleep(1000)
        finally:
            self.ended.append("slow")
        return text("never")

    async def _echo(self, wire: Wire) -> None:
        while data := await wire.receive():
            await wire.send(bytes(data))
        await wire.finish()
        self.ended.append("session")

    async def _abandon(self) -> None:
        self.ended.append("abandoned")

    async def until_ended(self, name: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while name not in self.ended:  # noqa: ASYNC110 # the server has no notice for it
                await asyncio.sleep(0.01)

    @property
    def port(self) -> int:
        assert self.listener is not None
        return self.listener.port


Start = Callable[[Limits], Scene]


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    scenes: list[Scene] = []

    def make(limits: Limits) -> Scene:
        scene = Scene()
        scene.listener = HttpListener(listen_tcp("127.0.0.1", 0), scene.serve, limits=limits)
        scene.listener.start()
        scenes.append(scene)
        return scene

    yield make
    for scene in scenes:
        assert scene.listener is not None
        await scene.listener.close()


@pytest_asyncio.fixture
async def scene(start: Start) -> Scene:
    return start(Limits(stall_s=WAIT_S))


class Client:
    """A plain connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await self.reader.read()

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await self.reader.readexactly(count)


@contextlib.asynccontextmanager
async def client(scene: Scene) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


GET = b"GET %s HTTP/1.1\r\nHost: node\r\n\r\n"


async def test_requests_one_after_the_other_on_one_connection(scene: Scene) -> None:
    async with client(scene) as one:
        for word in (b"a", b"b"):
            one.say(GET % b"/echo?q=%s" % word)
            head = await one.head()
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"content-type: text/plain; charset=utf-8\r\n" in head.lower()
            assert await one.exactly(6) == b"GET %s " % word
        one.say(GET % b"/echo?q=c" + GET % b"/echo?q=d")  # both at once
        for word in (b"c", b"d"):
            await one.head()
            assert await one.exactly(6) == b"GET %s " % word


async def test_a_body(scene: Scene) -> None:
    async with client(scene) as one:
        one.say(b"PUT /echo HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (await one.head()).startswith(b"HTTP/1.1 100")
        one.say(b"hello")
        await one.head()
        assert await one.exactly(10) == b"PUT  hello"


async def test_parts_and_a_head_without_them(scene: Scene) -> None:
    async with client(scene) as one:
        one.say(GET % b"/parts")
        assert b"transfer-encoding: chunked" in (await one.head()).lower()
        sent = b"".join(b"7\r\npart %d\n\r\n" % number for number in range(3)) + b"0\r\n\r\n"
        assert await one.exactly(len(sent)) == sent
        one.say(b"HEAD /echo HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        assert b"content-length: 6" in (await one.head()).lower()
        assert await one.rest() == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: node\r\n" + b"x-flood: %s\r\n" % (b"x" * 100) * 4000, b"431"),
        (b"GET /%s HTTP/1.1\r\n" % (b"x" * 300_000), b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"400"),
        (b"PUT /echo HTTP/1.1\r\nHost: node\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000, b"413"),
    ],
    ids=["headers", "target", "TLS on a plain port", "a header that is none", "a large body"],
)
async def test_requests_that_are_refused(scene: Scene, sent: bytes, status: bytes) -> None:
    async with client(scene) as one:
        one.say(sent)
        assert (await one.head()).startswith(b"HTTP/1.1 " + status)
        with contextlib.suppress(ConnectionResetError):
            await one.rest()  # and the connection ends
    async with client(scene) as other:
        other.say(GET % b"/echo")
        assert (await other.head()).startswith(b"HTTP/1.1 200")


async def test_a_client_that_says_nothing_is_not_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "IDLE_S", 0.1)
    async with client(scene) as idle:
        idle.say(GET % b"/echo")
        await idle.head()
        assert await idle.exactly(5) == b"GET  "
        assert await idle.rest() == b""
    monkeypatch.setattr(exchange, "HEAD_S", 0.1)
    async with client(scene) as silent, client(scene) as slow:
        slow.say(b"GET / HTTP/1.1\r\nHost: no")
        for each in (silent, slow):
            assert await each.rest() == b""


async def test_a_client_that_sends_its_body_slowly_is_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "BODY_S", 0.1)
    async with client(scene) as one:
        one.say(b"PUT /echo HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\n\r\nhe")
        assert await one.rest() == b""


async def test_a_client_that_goes_ends_its_handler(scene: Scene) -> None:
    async with client(scene) as one:
        one.say(GET % b"/slow")
        async with asyncio.timeout(WAIT_S):
            await scene.slow_began.wait()
    await scene.until_ended("slow")
    async with client(scene) as one:
        one.say(GET % b"/endless")
        await one.head()
    await scene.until_ended("parts")


async def test_a_client_that_does_not_read_is_given_up(start: Start) -> None:
    scene = start(Limits(stall_s=0.2))
    with socket.create_connection(("127.0.0.1", scene.port)) as lazy:
        lazy.sendall(GET % b"/endless")
        await scene.until_ended("parts")


async def test_no_more_connections_than_the_limit(start: Start) -> None:
    scene = start(Limits(connections=2, stall_s=WAIT_S))
    async with client(scene) as one, client(scene) as two:
        for each in (one, two):
            each.say(GET % b"/echo")
            await each.head()
        async with client(scene) as third:
            assert await third.rest() == b""
        one.writer.close()
        async with asyncio.timeout(WAIT_S):
            while True:
                async with client(scene) as fourth:
                    fourth.say(GET % b"/echo")
                    with contextlib.suppress(OSError, EOFError):
                        assert (await fourth.head()).startswith(b"HTTP/1.1 200")
                        return
                await asyncio.sleep(0.01)


async def test_the_connection_goes_to_another_protocol(scene: Scene) -> None:
    async with client(scene) as one:
        one.say(b"GET /upgrade HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
        assert (await one.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        one.say(b"late")
        assert await one.exactly(10) == b"early late"
        one.writer.write_eof()
        assert await one.rest() == b""
    await scene.until_ended("session")


async def test_many_connections_at_once(scene: Scene) -> None:
    async def ask(number: int) -> None:
        async with client(scene) as one:
            one.say(GET % b"/echo?q=%d" % number)
            await one.head()
            assert await one.exactly(5 + len(str(number))) == b"GET %d " % number

    await asyncio.gather(*(ask(number) for number in range(300)))


async def test_closing_ends_connections(scene: Scene) -> None:
    async with client(scene) as one, client(scene) as other:
        one.say(GET % b"/slow")
        other.say(GET % b"/endless")
        await other.head()
        assert scene.listener is not None
        await scene.listener.close()
        with contextlib.suppress(ConnectionResetError):
            assert await one.rest() == b""
    assert sorted(scene.ended) == ["parts", "slow"]
