"""Pulls through proxies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright import errors
from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.registry.asking import hosts_toml, resolve
from tools.images import Image
from tools.ports import free_port

PROXY = "http://p:3128"


@pytest.fixture
def certs_d(tmp_path: Path) -> Path:
    """A registry that only a proxy can find."""
    return hosts_toml(tmp_path, 'server = "http://registry.test"')


async def test_plain_http_through_a_proxy(
    registry: ScriptedRegistry, image: Image, certs_d: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:hush@{registry.host}")
    assert (await resolve("registry.test", None, certs_d)).digest == image.digest
    (seen,) = registry.requests
    assert seen.headers["Host"] == "registry.test"
    assert seen.headers["Proxy-Authorization"].startswith("Basic ")


async def test_a_proxy_that_is_not_there(certs_d: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:hush@127.0.0.1:{free_port()}")
    with pytest.raises(errors.Unknown, match=r"registry\.test: no connection to the HTTP proxy") as refusal:
        await resolve("registry.test", None, certs_d)
    assert "hush" not in str(refusal.value)


async def test_a_proxy_that_is_none(certs_d: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(errors.Unknown, match=r"registry\.test: HTTP_PROXY is not"):
        await resolve("registry.test", None, certs_d)


@pytest_asyncio.fixture
async def tunnel(tls_registry: ScriptedRegistry) -> AsyncIterator[str]:
    """A proxy that knows CONNECT, and where registry.test is."""
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        assert asked == b"CONNECT registry.test:443 HTTP/1.1"
        there = await asyncio.open_connection("127.0.0.1", tls_registry.port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        tasks.update(asyncio.create_task(copy(*pair)) for pair in ((reader, there[1]), (there[0], writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.wait(tasks, timeout=10) if tasks else None


async def test_tls_through_a_proxy(
    tunnel: str, certificate: Path, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", tunnel)
    certs_d = hosts_toml(tmp_path, f'server = "https://registry.test"\nca = "{certificate}/cert.pem"')
    assert (await resolve("registry.test", None, certs_d)).digest == image.digest


async def test_a_proxy_that_refuses(
    registry: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", registry.url)
    certs_d = hosts_toml(tmp_path, 'server = "https://registry.test"')
    with pytest.raises(errors.Unknown, match=r"registry\.test: the HTTP proxy answers 404"):
        await resolve("registry.test", None, certs_d)
