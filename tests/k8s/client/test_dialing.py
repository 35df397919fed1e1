"""The ways to an API server: through proxies, and to addresses that nobody answers at."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Endpoint, Identity
from podwright.k8s.client.failures import Unreachable
from podwright.k8s.client.protocol import Watching
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import Node
from tests.harness.apiserver.server import ApiServer, running
from tests.harness.authority import Authority
from tests.k8s.client.connected import FixedCredentials, bearer, endpoint

EMPTY = b'{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}'


class Proxy:
    """An HTTP proxy on loopback. It keeps the heads of requests."""

    def __init__(self, refusal: bytes = b"") -> None:
        """`refusal` is answered instead of a tunnel."""
        self.heads: list[str] = []
        self.url = ""
        self._refusal = refusal

    @contextlib.asynccontextmanager
    async def serving(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
        """Listen, with TLS when there is a context."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        async with server:
            self.url = f"http{'s' if context else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if self._refusal:
            writer.write(self._refusal)
        elif head.startswith("CONNECT "):
            await self._tunnel(head, reader, writer)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(EMPTY), EMPTY))
        writer.close()

    async def _tunnel(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = head.split()[1].rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def client_by(server: ApiServer, proxy_url: str) -> AsyncIterator[ApiClient]:
    """The admin's client by the proxy of a kubeconfig."""
    where = msgspec.structs.replace(endpoint(server), proxy_url=proxy_url)
    transport = Transport(where, FixedCredentials(bearer(server.admin_token)))
    try:
        yield ApiClient(transport)
    finally:
        await transport.close()


async def test_a_proxy_of_the_kubeconfig_is_used() -> None:
    async with running() as server, Proxy().serving() as proxy, client_by(server, proxy.url) as api:
        await api.list(Node)
        async with api.watch(Node, watching=Watching(initial_events=True)) as changes:
            assert (await anext(changes)).initial_end
    assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} ")


async def test_a_proxy_gets_the_login_of_its_url_and_the_server_does_not() -> None:
    async with running() as server, Proxy().serving() as proxy:
        url = proxy.url.replace("://", "://me:p%40ss@")
        async with client_by(server, url) as api:
            await api.list(Node)
    login = base64.b64encode(b"me:p@ss").decode()
    assert f"\r\nproxy-authorization: basic {login.lower()}\r\n" in proxy.heads[0].lower()


async def test_a_proxy_may_speak_tls_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("proxy", usage="server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    async with running() as server, Proxy().serving(context) as proxy:
        async with client_by(server, proxy.url) as api:
            with pytest.raises(Unreachable, match="certificate"):
                await api.list(Node)
        monkeypatch.setenv("SSL_CERT_FILE", authority.path)
        async with client_by(server, proxy.url) as api:
            await api.list(Node)
            async with api.watch(Node, watching=Watching(initial_events=True)) as changes:
                assert (await anext(changes)).initial_end


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "HTTP 407"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer with HTTP"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_named(refusal: bytes, words: str) -> None:
    async with running() as server, Proxy(refusal).serving() as proxy, client_by(server, proxy.url) as api:
        with pytest.raises(Unreachable, match=f"the proxy 127.0.0.1 .*{words}"):
            await api.list(Node)


async def test_what_is_not_encrypted_is_passed_on_by_the_proxy() -> None:
    async with Proxy().serving() as proxy:
        where = Endpoint(url="http://api.test:8080/prefix/", proxy_url=proxy.url)
        transport = Transport(where, FixedCredentials(Identity()))
        assert (await ApiClient(transport).list(Node)).items == ()
        await transport.close()
    assert proxy.heads[0].startswith("GET http://api.test:8080/prefix/api/v1/nodes HTTP/1.1\r\n")
    assert "\r\nhost: api.test:8080\r\n" in proxy.heads[0].lower()


async def test_a_proxy_of_the_environment_is_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with running() as server:
        credentials = FixedCredentials(bearer(server.admin_token))
        transport = Transport(endpoint(server), credentials)
        await ApiClient(transport).list(Node)
        elsewhere = Transport(msgspec.structs.replace(endpoint(server), url="https://api.test:6443"), credentials)
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1: Connection refused"):
            await ApiClient(elsewhere).list(Node)
        await transport.close()
        await elsewhere.close()


async def test_a_name_that_does_not_exist_is_named() -> None:
    transport = Transport(Endpoint(url="http://no-such-host.invalid"), FixedCredentials(Identity()))
    with pytest.raises(Unreachable, match=r"cannot connect to no-such-host\.invalid:80: "):
        await ApiClient(transport).list(Node)
    await transport.close()
