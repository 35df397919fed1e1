"""Engines that are too old, hang, or talk nonsense: a fake one on a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, NotFound, PodwrightError, Unavailable
from podwright.runtime.engines.docker.api.client import EngineClient
from podwright.runtime.engines.docker.api.hijack import hijack
from podwright.runtime.engines.docker.feed import EngineEvent, EventFeed
from podwright.runtime.engines.docker.host import EngineHost
from tests.harness.docker import DockerEngine
from tests.harness.podwright import PodwrightOnDocker
from tests.harness.scratch import Scratch
from tools.background import StartError

GOOD = {
    "/version": {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"},
    "/info": {},
    "/containers/json": [],
}
EVENT = {"Type": "container", "Action": "die", "Actor": {"Attributes": {"name": "n"}}}


class FakeEngine:
    """Answers a request with that of `answers` whose path it is, else with `answer`, or never if there is none."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "d.sock")
        self.answer: bytes | None = None
        self.answers: dict[str, bytes] = {}  # by the path without version and query
        self.stays_open = ""  # the path whose answers have no end
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.split(b" ")[1].decode())
            path = self.asked[-1].partition("?")[0].removeprefix("/v1.41")
            answer = self.answers.get(path, self.answer)
            if answer is None:
                await reader.read()
                return
            writer.write(answer)
            await writer.drain()
            if path == self.stays_open:
                await reader.read()

    def says(self, status: str, body: bytes, *, to: str = "") -> None:
        """Answer so from now on: every request, or those to one path."""
        answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
            status.encode(),
            len(body),
            body,
        )
        if to:
            self.answers[to] = answer
        else:
            self.answer = answer

    def is_good(self) -> None:
        """Answer what the feed asks for, with a stream of one event that stays open."""
        self.says("200 OK", b"OK")
        for path, document in GOOD.items():
            self.says("200 OK", json.dumps(document).encode(), to=path)
        self.stays_open = "/events"
        self.answers["/events"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s\n" % json.dumps(EVENT).encode()


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    fake = FakeEngine(tmp_path)
    async with await asyncio.start_unix_server(fake.serve, fake.socket):
        yield fake


@pytest_asyncio.fixture
async def client(engine: FakeEngine) -> AsyncIterator[EngineClient]:
    client = EngineClient(engine.socket, timeout_s=patient(60.0))
    yield client
    await client.close()


async def test_an_old_engine(engine: FakeEngine, client: EngineClient) -> None:
    engine.says("200 OK", OLD)
    with pytest.raises(FailedPrecondition, match=r"Docker Engine 18\.09\.1 is too old"):
        await client.negotiate()


async def test_a_new_engine_is_spoken_to_in_the_oldest_version_that_it_knows(
    engine: FakeEngine, client: EngineClient
) -> None:
    engine.says("200 OK", json.dumps({"Version": "29", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}).encode())
    await client.negotiate()
    await client.get("/info", "its settings")
    assert engine.asked == ["/version", "/v1.44/info"]


async def test_an_engine_that_hangs(engine: FakeEngine) -> None:
    client = EngineClient(engine.socket, timeout_s=0.2)
    with pytest.raises(DeadlineExceeded, match=r"inspect x: no answer within 0\.2 s"):
        await client.get("/containers/x/json", "inspect x")
    await client.close()


async def test_no_engine(tmp_path: Path) -> None:
    client = EngineClient(str(tmp_path / "none.sock"), timeout_s=5)
    with pytest.raises(Unavailable, match=r"none\.sock does not answer.*is dockerd running"):
        await client.negotiate()
    with pytest.raises(Unavailable, match=r"attach: .*none\.sock does not answer"):
        await hijack(client, "/containers/x/attach", "attach")
    await client.close()


OLD = json.dumps({"Version": "18.09.1", "ApiVersion": "1.39", "MinAPIVersion": "1.12"}).encode()


@pytest.mark.root
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OLD, "Docker Engine 18.09.1 is too old"),
        (b"nonsense", "Docker Engine: its version: the answer is not JSON"),
        (b"[]", "Docker Engine: its version: the answer is not what the Engine's API defines"),
        (None, "Docker Engine: its version: no answer within 1 s"),
    ],
    ids=["too old", "nonsense", "another document", "hangs"],
)
async def test_a_daemon_does_not_start_on_it_and_says_why(
    engine: FakeEngine, scratch: Scratch, answer: bytes | None, words: str
) -> None:
    if answer is not None:
        engine.says("200 OK", answer)
    settings = {"docker": {"socket": engine.socket, "request_timeout_s": 1.0}, "log_level": "info"}
    unused = DockerEngine(scratch.part("eng"), networks=False)
    with PodwrightOnDocker(scratch.part("pwd"), unused, settings=settings) as server:
        with pytest.raises(StartError):
            await asyncio.to_thread(server.start)
        assert server.log.read_text().startswith(f"podwright: {words}")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfoo\n", Internal),
        (b"this is not HTTP\r\n\r\n", Unavailable),
        (b"", Unavailable),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", NotFound),
    ],
)
async def test_nonsense(engine: FakeEngine, client: EngineClient, answer: bytes, kind: type[PodwrightError]) -> None:
    engine.answer = answer
    with pytest.raises(kind):
        await client.get("/x", "ask")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/version", b"[]"),
        ("/info", b'{"SecurityOptions":[1]}'),
        ("/info", b"null"),
        ("/containers/json", b'[{"Id":"x","Names":7}]'),
        ("/containers/json", b'{"message":"later"}'),
        ("/events", b'{"Actor":["n"]}'),
        ("/events", b'{"Actor":{"Attributes":"n"}}'),
        ("/events", b"[1]"),
    ],
)
async def test_an_answer_of_another_shape_does_not_end_the_events(
    engine: FakeEngine, client: EngineClient, path: str, answer: bytes
) -> None:
    engine.is_good()
    engine.says("200 OK", answer, to=path)
    host, heard = EngineHost(client, "r"), asyncio.Queue[EngineEvent]()

    async def compare() -> None:
        await host.ours()

    feed = EventFeed(host, compare, heard.put_nowait)
    feed.start()
    try:
        async with asyncio.timeout(patient(60.0)):
            while "Docker Engine: " not in feed.trouble:  # noqa: ASYNC110 # as Status polls it
                await asyncio.sleep(0.01)
            assert "not an object" in feed.trouble or "not what the Engine's API defines" in feed.trouble
            assert heard.empty()
            engine.is_good()
            assert (await heard.get()).name == "n"
    finally:
        await feed.close()


async def test_a_comparison_that_fails_does_not_end_the_events(engine: FakeEngine, client: EngineClient) -> None:
    engine.is_good()
    failures: list[Exception] = [OSError(errno.ENOSPC, "no space left"), RuntimeError()]
    heard = asyncio.Queue[EngineEvent]()

    async def compare() -> None:
        if failures:
            raise failures.pop()

    feed = EventFeed(EngineHost(client, "r"), compare, heard.put_nowait)
    feed.start()
    try:
        async with asyncio.timeout(patient(60.0)):
            assert (await heard.get()).name == "n"
        assert not failures
    finally:
        await feed.close()


@pytest.mark.parametrize(
    "answer", [b"[]", b'{"State":[1]}', b'{"State":{"Pid":"x"}}', b'{"State":{"StartedAt":1}}', b'{"GraphDriver":1}']
)
async def test_an_inspection_of_another_shape(engine: FakeEngine, client: EngineClient, answer: bytes) -> None:
    engine.says("200 OK", answer)
    with pytest.raises(Internal, match="inspect container x: the answer is not what the Engine's API defines"):
        await EngineHost(client, "r").inspect("x")


async def test_a_stream_that_ends_within_a_document(engine: FakeEngine, client: EngineClient) -> None:
    engine.says("200 OK", b'{"status":"a"}\n\n{"status":')
    documents = aiter(client.documents("GET", "/events", "listen"))
    assert await anext(documents) == {"status": "a"}
    with pytest.raises(Internal, match="not JSON"):
        await anext(documents)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b'HTTP/1.1 409 Conflict\r\nContent-Length: 20\r\n\r\n{"message":"paused"}', FailedPrecondition, "paused"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PodwrightError, "attach"),
        (b"nonsense\r\n\r\n", Internal, "not HTTP"),
        (b"", Unavailable, "without an answer"),
    ],
)
async def test_connections_that_are_not_handed_over(
    engine: FakeEngine, client: EngineClient, answer: bytes, kind: type[PodwrightError], words: str
) -> None:
    engine.answer = answer
    with pytest.raises(kind, match=words):
        await hijack(client, "/containers/x/attach", "attach")


async def test_output_that_comes_with_the_answer_is_not_lost(engine: FakeEngine, client: EngineClient) -> None:
    engine.answer = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly"
    connection = await hijack(client, "/containers/x/attach", "attach", {})
    assert await connection.read() == b"early"
    assert await connection.read() == b""
    connection.close()
