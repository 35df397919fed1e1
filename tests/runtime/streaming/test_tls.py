"""TLS: when it is spoken, with which certificate, and what is refused."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, serving
from podwright.conformance.streams import (
    CollectingSink,
    Given,
    Speech,
    attach_url,
    exec_url,
    forward_url,
    forwarded,
    read_all,
    session,
    streamed_exec,
)
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.runtime.config import StreamingSettings
from podwright.runtime.streaming import certificate
from podwright.runtime.streaming.tls import server_context
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.port_forward import forwarding
from tests.faults.node import running_node
from tests.fixtures import FreshPodwright

SERVERS = serving({7: "cat", 9: "wc -c"})
BULK_BYTES = 4 * 1024 * 1024


def given(folder: Path) -> tuple[str, str]:
    """Files with a certificate for 127.0.0.1, and its key."""
    made = certificate.make(("127.0.0.1",)).decode()
    end = made.index("-----BEGIN PRIVATE KEY")
    (folder / "cert.pem").write_text(made[:end])
    (folder / "key.pem").write_text(made[end:])
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_loopback_speaks_plain_http_unless_files_are_given(tmp_path: Path) -> None:
    cert, key = given(tmp_path)
    assert server_context(StreamingSettings(address="127.0.0.1:0")) is None
    assert server_context(StreamingSettings(address="[::1]:0")) is None
    assert server_context(StreamingSettings(address="127.0.0.1:0", tls_cert_file=cert, tls_key_file=key)) is not None


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:10250"])
def test_other_addresses_speak_tls_only(address: str) -> None:
    context = server_context(StreamingSettings(address=address))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    cert, key = given(tmp_path)
    for half in (StreamingSettings(tls_cert_file=cert), StreamingSettings(tls_key_file=key)):
        with pytest.raises(InvalidArgument, match="need each other"):
            server_context(half)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    cert, key = given(tmp_path)
    (tmp_path / "other").mkdir()
    _, other_key = given(tmp_path / "other")
    (tmp_path / "garbage").write_text("no PEM")
    for wrong in ((cert, other_key), (cert, f"{key}.missing"), (str(tmp_path / "garbage"), key)):
        with pytest.raises(FailedPrecondition, match="cannot use"):
            server_context(StreamingSettings(tls_cert_file=wrong[0], tls_key_file=wrong[1]))


@pytest.mark.root
async def test_every_kind_of_stream_over_tls(fresh_podwright: FreshPodwright, busybox_image: str) -> None:
    """With a certificate that the daemon made; both transports."""
    async with running_node(fresh_podwright({"streaming": {"address": "0.0.0.0:0"}}), busybox_image) as node:
        pod = await node.pod()
        await pod.run_ready(SERVERS)
        assert (await forward_url(pod)).startswith("https://")
        assert "0.0.0.0" not in await forward_url(pod)
        for transport in StreamTransport:
            await works(pod, transport)
        await a_plain_request_gets_nothing(pod)
        await node.emptied()


async def works(pod: CasePod, transport: StreamTransport) -> None:
    """Exec, attach and port-forward, with enough bytes to fill buffers; a client's end comes before the answer."""
    speech = Speech(transport=transport)
    bulk = bytes(range(256)) * (BULK_BYTES // 256)
    done = await streamed_exec(pod, pod.containers[0], "cat", speech=speech, stdin=Given(bulk))
    assert (done.out == bulk, done.outcome.exit_code) == (True, 0)
    attached = await pod.run(("cat",), stdin=True, stdin_once=True)
    done = await session(await attach_url(pod, attached, stdin=True), speech, stdin=Given(b"words\n"))
    assert done.out == b"words\n"
    async with forwarding(await forward_url(pod), transport=transport) as forwarder, forwarded(forwarder, 7) as local:
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(loop.sock_sendall(local, bulk))
        back = bytearray()
        async with asyncio.timeout(patient(60)):
            while len(back) < len(bulk):
                back += await loop.sock_recv(local, 1 << 20)
        await sending
        assert back == bulk
        async with forwarded(forwarder, 9) as counted:
            await loop.sock_sendall(counted, bulk)
            counted.shutdown(socket.SHUT_WR)
            assert int(await read_all(counted)) == len(bulk)


async def a_plain_request_gets_nothing(pod: CasePod) -> None:
    """Neither an answer nor the token's use."""
    url = await exec_url(pod, pod.containers[0], "true")
    plain = url.replace("https://", "http://")
    with pytest.raises(PodwrightError):
        await run_command(plain, CommandStreams(stdout=CollectingSink(), stderr=CollectingSink()))
    assert (await session(url, Speech())).outcome.exit_code == 0


@pytest.mark.root
async def test_a_given_certificate(fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path) -> None:
    cert, key = given(tmp_path)
    settings = {"streaming": {"tls_cert_file": cert, "tls_key_file": key}}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        pod = await node.pod()
        container = await pod.run()
        url = await exec_url(pod, container, "echo", "secret")
        assert urlsplit(url).hostname == "127.0.0.1"
        out = CollectingSink()
        streams = CommandStreams(stdout=out, stderr=CollectingSink())
        with pytest.raises(PodwrightError, match="certificate verify failed"):
            await run_command(url, streams, tls=ssl.create_default_context())
        outcome = await run_command(url, streams, tls=ssl.create_default_context(cafile=cert))
        assert (outcome.exit_code, bytes(out.data)) == (0, b"secret\n")
        await node.emptied()


@pytest.mark.root
def test_a_daemon_whose_certificate_is_broken_does_not_start(fresh_podwright: FreshPodwright, tmp_path: Path) -> None:
    cert, _ = given(tmp_path)
    settings = {"streaming": {"tls_cert_file": cert, "tls_key_file": f"{cert}.missing"}}
    server = fresh_podwright(settings, start=False)
    with pytest.raises(Exception, match="cannot use"):
        server.start()
