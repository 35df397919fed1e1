"""The small HTTP server: what it answers, and what clients cannot do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from podwright.agent.server import http
from podwright.agent.server.http import HttpServer, Request, Response


def answer(request: Request) -> Response:
    if request.path == ("broken",):
        raise RuntimeError("broken")
    return Response(body=f"{'|'.join(request.path)} {sorted(request.query)}".encode())


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    server = HttpServer(handler=answer)
    yield await server.listen("127.0.0.1", 0)
    await server.close()


async def talk(port: int, *requests: bytes) -> bytes:
    """Everything that the server says to these bytes, on one connection."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for request in requests:
                writer.write(request)
                await writer.drain()
            return await reader.read()
        finally:
            writer.close()


def request(target: str, method: str = "GET", *, close: bool = True) -> bytes:
    end = "Connection: close\r\n" if close else ""
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{end}\r\n".encode()


async def test_requests_on_one_connection(port: int) -> None:
    said = await talk(port, request("/a%2Fb/c?verbose&x=1", close=False), request("/d"))
    assert said.count(b"HTTP/1.1 200 OK") == 2
    assert b"a/b|c ['verbose', 'x']" in said
    assert said.endswith(b"d []")


async def test_head_has_the_length_and_no_body(port: int) -> None:
    said = await talk(port, request("/a", "HEAD"))
    assert b"content-length: 4\r\n" in said.lower()
    assert said.endswith(b"\r\n\r\n")


async def test_a_body_is_passed_over(port: int) -> None:
    said = await talk(port, b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
    assert said.endswith(b"a []")


async def test_other_methods(port: int) -> None:
    assert b"HTTP/1.1 405 " in await talk(port, request("/a", "POST"))


async def test_a_handler_that_fails(port: int) -> None:
    assert b"HTTP/1.1 500 " in await talk(port, request("/broken"))
    assert b"HTTP/1.1 200 " in await talk(port, request("/a"))


async def test_what_is_no_request(port: int) -> None:
    assert b"HTTP/1.1 400 " in await talk(port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")


async def test_a_head_without_end_is_refused(port: int) -> None:
    assert b"HTTP/1.1 431 " in await talk(port, b"GET / HTTP/1.1\r\nX: " + b"x" * (2 * http.HEAD_LIMIT_BYTES))


async def test_close_ends_idle_connections() -> None:
    server = HttpServer(handler=answer)
    port = await server.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("/a", close=False))
    await reader.readuntil(b"a []")
    await server.close()
    assert await reader.read() == b""
    writer.close()
