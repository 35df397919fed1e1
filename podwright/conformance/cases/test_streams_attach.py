"""Attach by its URL: stdin once and many times, several clients, terminals, no replay."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from podwright.conformance.pods import CasePod
from podwright.conformance.streams import WAIT_S, CollectingSink, Given, Speech, attach_url, session
from podwright.errors import PodwrightError
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport
from podwright.streams.remote_command.resize import TerminalSize
from podwright.streams.remote_command.status import Outcome

TRANSPORTS = [
    pytest.param(Speech(), id="spdy"),
    pytest.param(Speech(transport=StreamTransport.WEBSOCKET), id="websocket"),
]

# The container's end and its output take different ways through containerd: on a busy machine the end may win.
LAST_BYTES = pytest.mark.deviates("containerd", "an attach may lose what a container writes right before its end")


class AttachSession:
    """A session that is under way."""

    def __init__(self, url: str, *, stdin: bool, tty: bool = False, sizes: AsyncIterator[TerminalSize] | None = None):
        self.stdin = Given(open_ended=True)
        self.out, self.err = CollectingSink(), CollectingSink()
        streams = CommandStreams(
            stdin=self.stdin if stdin else None,
            stdout=self.out,
            stderr=None if tty else self.err,
            tty=tty,
            sizes=sizes,
        )
        self._running = asyncio.create_task(run_command(url, streams), name="attach")

    async def ended(self) -> Outcome:
        async with asyncio.timeout(WAIT_S):
            return await self._running

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


@contextlib.asynccontextmanager
async def attached(
    pod: CasePod,
    container: str,
    *,
    stdin: bool = True,
    tty: bool = False,
    sizes: AsyncIterator[TerminalSize] | None = None,
) -> AsyncIterator[AttachSession]:
    url = await attach_url(pod, container, stdin=stdin, tty=tty)
    client = AttachSession(url, stdin=stdin, tty=tty, sizes=sizes)
    try:
        yield client
    finally:
        await client.close()


@LAST_BYTES
@pytest.mark.parametrize("speech", TRANSPORTS)
async def test_a_shell_reads_what_is_sent_once(pod: CasePod, speech: Speech) -> None:
    """Not one byte more than the shell wrote, and the shell ends with its stdin."""
    container = await pod.run(("sh",), stdin=True, stdin_once=True)
    url = await attach_url(pod, container, stdin=True)
    done = await session(url, speech, stdin=Given(b"echo -n hello; echo -n error >&2; exit\n", open_ended=True))
    assert (done.out, done.err) == (b"hello", b"error")
    assert (await pod.exited(container)).exit_code == 0


@LAST_BYTES
async def test_the_end_of_stdin_reaches_the_container_when_it_is_to_come_once(pod: CasePod) -> None:
    container = await pod.run(("cat",), stdin=True, stdin_once=True)
    url = await attach_url(pod, container, stdin=True)
    done = await session(url, Speech(), stdin=Given(b"all of it\n"))
    assert done.out == b"all of it\n"
    assert (await pod.exited(container)).exit_code == 0


async def test_stdin_that_is_not_once_stays_open_for_the_next_client(pod: CasePod) -> None:
    container = await pod.run(("cat",), stdin=True)
    for word in (b"first\n", b"second\n"):
        async with attached(pod, container) as client:
            client.stdin.give(word)
            await client.out.until(word)
    assert (await pod.exec(container, "echo", "alive")).stdout == b"alive\n"


@pytest.mark.deviates("cri-o", "ends a session without stdin at once where the container has one")
async def test_every_client_sees_the_output(pod: CasePod) -> None:
    container = await pod.run(("cat",), stdin=True)
    async with attached(pod, container) as one, attached(pod, container, stdin=False) as other:
        async with asyncio.timeout(WAIT_S):
            while not (b"x" in one.out.data and b"x" in other.out.data):
                one.stdin.give(b"x\n")  # until both are there: an attach says nothing when it has begun
                await asyncio.sleep(0.05)


async def test_nothing_is_replayed(pod: CasePod) -> None:
    container = await pod.run(("sh", "-c", "echo before; cat"), stdin=True)
    async with asyncio.timeout(WAIT_S):
        while "before" not in pod.log(container):  # noqa: ASYNC110 # a log file tells nobody
            await asyncio.sleep(0.02)
    async with attached(pod, container) as client:
        client.stdin.give(b"after\n")
        await client.out.until(b"after\n")
        assert bytes(client.out.data) == b"after\n"


async def test_a_terminal_and_its_size(pod: CasePod) -> None:
    script = "read x; stty size; read x; stty size; exit 5"
    container = await pod.run(("sh", "-c", script), stdin=True, tty=True)
    sizes = asyncio.Queue[TerminalSize]()

    async def each() -> AsyncIterator[TerminalSize]:
        while True:
            yield await sizes.get()

    async with attached(pod, container, tty=True, sizes=each()) as client:
        sizes.put_nowait(TerminalSize(width=81, height=21))
        await seen(pod, container, b"21 81")
        client.stdin.give(b"\n")
        await client.out.until(b"21 81")
        sizes.put_nowait(TerminalSize(width=82, height=22))
        await seen(pod, container, b"22 82")
        client.stdin.give(b"\n")
        await client.out.until(b"22 82")
        await client.ended()
    assert (await pod.exited(container)).exit_code == 5


async def seen(pod: CasePod, container: str, size: bytes) -> None:
    """Wait until the container's terminal has this size."""
    async with asyncio.timeout(WAIT_S):
        while size not in (await pod.exec(container, "sh", "-c", "stty size </proc/1/fd/0")).stdout:  # noqa: ASYNC110 # a terminal tells nobody
            await asyncio.sleep(0.02)


@LAST_BYTES
async def test_the_session_ends_with_the_container(pod: CasePod) -> None:
    container = await pod.run(("sh", "-c", "read x; echo bye; exit 4"), stdin=True)
    async with attached(pod, container) as client:
        client.stdin.give(b"\n")
        outcome = await client.ended()
        assert bytes(client.out.data) == b"bye\n"
        assert outcome.failure == ""


@pytest.mark.deviates("cri-o", "the session tells, not the call")
async def test_attach_to_what_does_not_run_is_refused(pod: CasePod) -> None:
    created = await pod.create()
    with pytest.raises(PodwrightError):
        await attach_url(pod, created)
