"""Exec by its URL, in every version of the protocol: output, stdin, exit codes, terminals, refusals."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod
from podwright.conformance.streams import CollectingSink, Given, Speech, exec_url, session, streamed_exec
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, NotFound, PodwrightError
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.resize import TerminalSize

UNSPOKEN = [
    pytest.mark.deviates(name, "the stock Go server has no such WebSocket protocol", run=False)
    for name in ("containerd", "cri-o")
]
BULK_BYTES = 16 * 1024 * 1024


def spdy(version: str) -> Speech:
    return Speech(protocols=[version])


def websocket(version: str) -> Speech:
    return Speech(transport=StreamTransport.WEBSOCKET, protocols=[version] if version else [])


JSON_STATUS = [
    pytest.param(spdy("v4.channel.k8s.io"), id="spdy-v4"),
    pytest.param(websocket("v4.channel.k8s.io"), id="websocket-v4"),
    pytest.param(websocket("v4.base64.channel.k8s.io"), id="websocket-v4-base64"),
    pytest.param(websocket("v5.channel.k8s.io"), id="websocket-v5", marks=UNSPOKEN),
]
TEXT_STATUS = [
    pytest.param(spdy("v3.channel.k8s.io"), id="spdy-v3"),
    pytest.param(spdy("v2.channel.k8s.io"), id="spdy-v2"),
    pytest.param(spdy("channel.k8s.io"), id="spdy-v1"),
    pytest.param(websocket("channel.k8s.io"), id="websocket-v1"),
    pytest.param(websocket("base64.channel.k8s.io"), id="websocket-v1-base64"),
]
HALF_CLOSE = [JSON_STATUS[0], JSON_STATUS[3], TEXT_STATUS[0], TEXT_STATUS[1]]


@pytest.mark.parametrize("speech", [*JSON_STATUS, *TEXT_STATUS])
async def test_both_outputs_and_success(pod: CasePod, speech: Speech) -> None:
    container = await pod.run()
    done = await streamed_exec(pod, container, "sh", "-c", "echo out; echo err >&2", speech=speech)
    assert (done.out, done.err) == (b"out\n", b"err\n")
    assert done.outcome.exit_code == 0
    assert done.outcome.failure == ""


@pytest.mark.parametrize("speech", JSON_STATUS)
async def test_the_exit_code_is_told(pod: CasePod, speech: Speech) -> None:
    container = await pod.run()
    done = await streamed_exec(pod, container, "sh", "-c", "echo last words; exit 42", speech=speech)
    assert (done.outcome.exit_code, done.outcome.failure, done.out) == (42, "", b"last words\n")


@pytest.mark.parametrize("speech", [each for each in TEXT_STATUS if each.id != "spdy-v1"])
async def test_old_versions_tell_that_it_failed(pod: CasePod, speech: Speech) -> None:
    """All except the first on SPDY, whose servers reset the error stream."""
    container = await pod.run()
    done = await streamed_exec(pod, container, "sh", "-c", "exit 42", speech=speech)
    assert "42" in done.outcome.failure


@pytest.mark.parametrize("speech", JSON_STATUS)
async def test_a_signal_is_128_and_its_number(pod: CasePod, speech: Speech) -> None:
    container = await pod.run()
    done = await streamed_exec(pod, container, "sh", "-c", "kill -9 $$", speech=speech)
    assert done.outcome.exit_code == 137


@pytest.mark.deviates("cri-o", "tells runc's exit code")
@pytest.mark.parametrize("speech", JSON_STATUS)
async def test_a_command_that_is_not_there_is_a_failure_not_an_exit_code(pod: CasePod, speech: Speech) -> None:
    container = await pod.run()
    done = await streamed_exec(pod, container, "/no/such/program", speech=speech)
    assert done.outcome.failure or done.outcome.exit_code in (126, 127)


@pytest.mark.parametrize("speech", HALF_CLOSE)
async def test_the_end_of_stdin_reaches_the_command(pod: CasePod, speech: Speech) -> None:
    container = await pod.run()
    done = await streamed_exec(pod, container, "cat", speech=speech, stdin=Given(b"one\n", b"two\n"))
    assert (done.out, done.outcome.exit_code) == (b"one\ntwo\n", 0)


@pytest.mark.parametrize("speech", [*JSON_STATUS, *TEXT_STATUS[:2], *TEXT_STATUS[3:]])
async def test_stdin_of_a_command_that_ends_by_itself(pod: CasePod, speech: Speech) -> None:
    """Also where a protocol cannot say the end of stdin."""
    container = await pod.run()
    stdin = Given(b"a line\n", open_ended=True)
    done = await streamed_exec(pod, container, "sh", "-c", "read x; echo got $x", speech=speech, stdin=stdin)
    assert done.out == b"got a line\n"


@pytest.mark.parametrize("speech", [JSON_STATUS[0], JSON_STATUS[3]])
async def test_bulk_comes_back_unharmed(pod: CasePod, speech: Speech) -> None:
    container = await pod.run()
    bulk = hashlib.shake_256(b"bulk").digest(BULK_BYTES)
    chunks = [bulk[begin : begin + 100_000] for begin in range(0, BULK_BYTES, 100_000)]
    done = await streamed_exec(pod, container, "cat", speech=speech, stdin=Given(*chunks))
    assert hashlib.sha256(done.out).digest() == hashlib.sha256(bulk).digest()


@pytest.mark.deviates("cri-o", "may lose the last words of a terminal")
@pytest.mark.parametrize("speech", JSON_STATUS)
async def test_a_terminal(pod: CasePod, speech: Speech) -> None:
    """One output, a window size that can change, and keys that become signals."""
    container = await pod.run()
    script = "tty; stty size; trap 'stty size; exit 3' WINCH; echo waiting; while :; do sleep 0.1; done"
    url = await exec_url(pod, container, "sh", "-c", script, stdin=True, tty=True)
    sizes, out = asyncio.Queue[TerminalSize](), CollectingSink()
    sizes.put_nowait(TerminalSize(width=101, height=31))
    streams = CommandStreams(stdin=Given(open_ended=True), stdout=out, tty=True, sizes=each(sizes))
    running = asyncio.create_task(
        run_command(url, streams, transport=speech.transport, protocols=speech.protocols), name="exec"
    )
    await out.until(b"waiting")
    sizes.put_nowait(TerminalSize(width=102, height=32))
    async with asyncio.timeout(patient(60)):
        outcome = await running
    assert b"/dev/pts/" in out.data
    assert b"32 102" in out.data
    assert outcome.exit_code == 3


async def each(sizes: asyncio.Queue[TerminalSize]) -> AsyncIterator[TerminalSize]:
    while True:
        yield await sizes.get()


async def test_control_c_on_a_terminal_is_a_signal(pod: CasePod) -> None:
    container = await pod.run()
    url = await exec_url(pod, container, "sh", "-c", "echo waiting; sleep 1000", stdin=True, tty=True)
    stdin, out = Given(open_ended=True), CollectingSink()
    streams = CommandStreams(stdin=stdin, stdout=out, tty=True)
    running = asyncio.create_task(run_command(url, streams), name="exec")
    await out.until(b"waiting")
    stdin.give(b"\x03")
    async with asyncio.timeout(patient(60)):
        assert (await running).exit_code == 130


async def test_a_url_works_once(pod: CasePod) -> None:
    container = await pod.run()
    url = await exec_url(pod, container, "true")
    assert (await session(url, Speech())).outcome.exit_code == 0
    with pytest.raises(NotFound):
        await session(url, Speech())


async def test_a_token_that_nobody_gave(pod: CasePod) -> None:
    container = await pod.run()
    url = await exec_url(pod, container, "true")
    with pytest.raises(NotFound):
        await session(url.rpartition("/")[0] + "/AAAAAAAA", Speech())


async def test_a_protocol_that_nobody_knows_is_refused(pod: CasePod) -> None:
    container = await pod.run()
    url = await exec_url(pod, container, "true")
    with pytest.raises(ProtocolError, match="403"):
        await session(url, spdy("v9.channel.k8s.io"))


async def test_the_url_is_whole(pod: CasePod) -> None:
    container = await pod.run()
    assert (await exec_url(pod, container, "true")).startswith("http://127.0.0.1:")


@pytest.mark.deviates("cri-o", "the session tells, not the call")
async def test_exec_of_what_does_not_run_is_refused_at_once(pod: CasePod) -> None:
    created = await pod.create()
    with pytest.raises(PodwrightError):
        await exec_url(pod, created, "true")
    with pytest.raises(NotFound):
        await exec_url(pod, "f" * 64, "true")


async def test_exec_needs_a_stream_and_no_stderr_with_a_terminal(pod: CasePod) -> None:
    container = await pod.run()
    for request in (
        api.ExecRequest(container_id=container, cmd=["true"]),
        api.ExecRequest(container_id=container, cmd=["true"], tty=True, stdout=True, stderr=True),
    ):
        with pytest.raises(InvalidArgument):
            await pod.cri.call(pod.cri.runtime.Exec, request)


async def test_a_client_that_vanishes_leaves_the_container_alone(pod: CasePod) -> None:
    container = await pod.run()
    url = await exec_url(pod, container, "sh", "-c", "echo waiting; sleep 1000", stdin=True)
    out = CollectingSink()
    streams = CommandStreams(stdin=Given(open_ended=True), stdout=out, stderr=CollectingSink())
    running = asyncio.create_task(run_command(url, streams), name="exec")
    await out.until(b"waiting")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await pod.exec(container, "echo", "alive")).stdout == b"alive\n"
