"""Port-forward by its URL: many ports and connections over one session, half-close, refused ports."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket

import pytest

from podwright.conformance.pods import CasePod, RunPod, serving
from podwright.conformance.streams import WAIT_S, forward_url, forwarded, read_all
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.port_forward import forwarding

SERVERS = serving({7: "cat", 13: "echo thirteen", 9: "wc -c"})
CLOSED_PORT = 4
STOCK = [pytest.mark.deviates(name, "the stock Go server has no tunnel") for name in ("containerd", "cri-o")]
TRANSPORTS = [
    pytest.param(StreamTransport.SPDY, id="spdy"),
    pytest.param(StreamTransport.WEBSOCKET, id="tunnel", marks=STOCK),
]
CONNECTIONS = 20
BULK_BYTES = 8 * 1024 * 1024


async def echoed(connection: socket.socket, words: bytes) -> bytes:
    """What port 7 sends back."""
    loop = asyncio.get_running_loop()
    sending = asyncio.create_task(loop.sock_sendall(connection, words), name="send")
    back = bytearray()
    async with asyncio.timeout(WAIT_S):
        while len(back) < len(words) and (data := await loop.sock_recv(connection, 1 << 20)):
            back += data
        await sending
    return bytes(back)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_words_and_their_echo(pod: CasePod, transport: StreamTransport) -> None:
    await pod.run_ready(SERVERS)
    url = await forward_url(pod)
    async with forwarding(url, transport=transport) as forwarder, forwarded(forwarder, 7) as connection:
        assert await echoed(connection, b"hello") == b"hello"
        assert await echoed(connection, b"again") == b"again"


@pytest.mark.deviates("cri-o", "the end of what a client sends is not passed on to the pod")
@pytest.mark.deviates("containerd", "the end of what a client sends is not passed on to the pod")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_answer_that_comes_after_the_end_of_the_question(pod: CasePod, transport: StreamTransport) -> None:
    await pod.run_ready(SERVERS)
    url = await forward_url(pod)
    async with forwarding(url, transport=transport) as forwarder, forwarded(forwarder, 9) as connection:
        await asyncio.get_running_loop().sock_sendall(connection, b"twelve bytes")
        connection.shutdown(socket.SHUT_WR)
        assert (await read_all(connection)).strip() == b"12"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_many_connections_to_several_ports_at_once(pod: CasePod, transport: StreamTransport) -> None:
    await pod.run_ready(SERVERS)
    url = await forward_url(pod)
    async with forwarding(url, transport=transport) as forwarder, contextlib.AsyncExitStack() as connections:
        held = []
        for number in range(CONNECTIONS):  # one after the other: busybox' nc has next to no backlog
            connection = await connections.enter_async_context(forwarded(forwarder, 7))
            assert await echoed(connection, b"%d" % number) == b"%d" % number
            held.append(connection)
        async with forwarded(forwarder, 13) as other:
            assert await read_all(other) == b"thirteen\n"
        words = [b"word %d" % number for number in range(CONNECTIONS)]
        assert await asyncio.gather(*map(echoed, held, words)) == words
        for connection in held:  # all at once: some servers take a second to end one
            connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_bulk_comes_back_unharmed(pod: CasePod, transport: StreamTransport) -> None:
    await pod.run_ready(SERVERS)
    bulk = hashlib.shake_256(b"bulk").digest(BULK_BYTES)
    url = await forward_url(pod)
    async with forwarding(url, transport=transport) as forwarder, forwarded(forwarder, 7) as connection:
        back = await echoed(connection, bulk)
    assert hashlib.sha256(back).digest() == hashlib.sha256(bulk).digest()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_refused_port_is_told_and_the_session_lives_on(pod: CasePod, transport: StreamTransport) -> None:
    await pod.run_ready(SERVERS)
    async with forwarding(await forward_url(pod), transport=transport) as forwarder:
        with pytest.raises(FailedPrecondition, match="refused"):
            async with forwarded(forwarder, CLOSED_PORT) as connection:
                assert await read_all(connection) == b""
        assert not forwarder.ended.is_set()
        async with forwarded(forwarder, 7) as connection:
            assert await echoed(connection, b"still here") == b"still here"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_resets_its_connection_harms_no_other(pod: CasePod, transport: StreamTransport) -> None:
    await pod.run_ready(SERVERS)
    url = await forward_url(pod)
    async with forwarding(url, transport=transport) as forwarder, forwarded(forwarder, 7) as other:
        async with forwarded(forwarder, 7) as reset:
            await asyncio.get_running_loop().sock_sendall(reset, b"nobody reads the answer" * 1000)
        assert await echoed(other, b"unharmed") == b"unharmed"


async def test_a_pod_in_the_hosts_network(run_pod: RunPod) -> None:
    namespaces = api.NamespaceOption(pid=api.CONTAINER, network=api.NODE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        async with (
            run_pod(namespaces=namespaces) as pod,
            forwarding(await forward_url(pod)) as forwarder,
            forwarded(forwarder, port) as connection,
        ):
            accepted, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(server), WAIT_S)
            with accepted:
                await asyncio.get_running_loop().sock_sendall(accepted, b"from the host")
            assert await read_all(connection) == b"from the host"


async def test_a_url_works_once(pod: CasePod) -> None:
    url = await forward_url(pod)
    async with forwarding(url):
        pass
    with pytest.raises(NotFound):
        async with forwarding(url):
            pass


@pytest.mark.deviates("cri-o", "the session tells, not the call")
async def test_port_forward_to_a_pod_that_is_not_ready_is_refused(pod: CasePod) -> None:
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    with pytest.raises(PodwrightError):
        await forward_url(pod)
