from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright import errors
from podwright.runtime.registry.proxies import choose
from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.registry.asking import hosts_toml, resolve
from tools.images import Image
from tools.registry import free_port

PROXY = "http://p:3128"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://r.io/v2/", {}, None),
        ("https://r.io/v2/", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://r.io/v2/", {"https_proxy": PROXY, "HTTPS_PROXY": ""}, PROXY),
        ("https://r.io/v2/", {"https_proxy": "http://lower", "HTTPS_PROXY": PROXY}, PROXY),
        ("https://r.io/v2/", {"HTTP_PROXY": PROXY}, None),
        ("http://r.io/v2/", {"HTTP_PROXY": "p:3128"}, PROXY),
        ("http://127.0.0.1:5000/", {"HTTP_PROXY": PROXY}, None),
        ("http://localhost:5000/", {"HTTP_PROXY": PROXY}, None),
        ("http://[::1]:5000/", {"HTTP_PROXY": PROXY}, None),
    ],
)
def test_which_variable_counts(url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert choose(url, environ) == proxy


@pytest.mark.parametrize(
    ("exceptions", "host", "directly"),
    [
        ("*", "r.io", True),
        ("r.io", "r.io", True),
        ("r.io", "a.r.io", True),
        ("r.io", "ar.io", False),
        (".r.io", "r.io", False),
        (".r.io", "a.r.io", True),
        ("*.r.io", "a.r.io", True),
        ("R.IO", "r.io", True),
        ("a, r.io ,b", "r.io", True),
        ("r.io:443", "r.io", True),
        ("r.io:444", "r.io", False),
        ("r.io:444", "r.io:444", True),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.1/8", "10.9.9.9", True),
        ("10.0.0.0/8", "r.io", False),
        ("10.1.2.3", "10.1.2.3:5000", True),
        ("10.1.2.3:5001", "10.1.2.3:5000", False),
        ("2.3", "10.1.2.3", False),
        ("fd00::/8", "[fd00::1]:5000", True),
        ("fd00::1", "[fd00::1]:5000", True),
        ("[fd00::1]:5000", "[fd00::1]:5000", True),
        ("[fd00::1]:5001", "[fd00::1]:5000", False),
        ("nonsense/99,/,:,::", "r.io", False),
        ("", "r.io", False),
    ],
)
def test_who_is_reached_directly(exceptions: str, host: str, directly: bool) -> None:
    assert (choose(f"https://{host}/v2/", {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}) is None) == directly


@pytest.mark.parametrize("value", ["socks5://p:1080", "ftp://me:hush@p", "http://"])
def test_what_is_no_proxy(value: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY is not") as refusal:
        choose("https://r.io", {"HTTPS_PROXY": value})
    assert "hush" not in str(refusal.value)


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
