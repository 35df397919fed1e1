"""HTTP upgrades: requests and answers survive any split, and what is none ends the connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams.errors import ProtocolError
from podwright.streams.upgrade import (
    BODY_LIMIT_BYTES,
    HEAD_LIMIT_BYTES,
    ClientHandshake,
    Response,
    ServerHandshake,
    UpgradeRequest,
    upgrade_headers,
)
from tests.streams.splits import pieces

UPGRADE = b"POST /exec/abc HTTP/1.1\r\nHost: node\r\nConnection: keep-alive, Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
VERSIONS = [("x-stream-protocol-version", "v4.channel.k8s.io"), ("x-stream-protocol-version", "v3.channel.k8s.io")]


def received(server: ServerHandshake, fed: list[bytes]) -> tuple[UpgradeRequest, list[bytes]]:
    """The request, and what was not fed because it was complete."""
    for index, piece in enumerate(fed):
        if (request := server.receive_data(piece)) is not None:
            return request, fed[index + 1 :]
    raise AssertionError("no request")


def answered(client: ClientHandshake, fed: list[bytes]) -> tuple[Response, list[bytes]]:
    for index, piece in enumerate(fed):
        if (response := client.receive_data(piece)) is not None:
            return response, fed[index + 1 :]
    raise AssertionError("no answer")


def asking() -> ClientHandshake:
    """A client that has asked."""
    client = ClientHandshake()
    client.request("POST", "node", "/exec/abc", upgrade_headers("SPDY/3.1"))
    return client


@given(data=st.data(), early=st.binary(max_size=50), answer=st.binary(max_size=50))
def test_two_sides_upgrade_and_lose_nothing(data: st.DataObject, early: bytes, answer: bytes) -> None:
    """Also of what is sent right behind the request, and behind the answer."""
    client, server = ClientHandshake(), ServerHandshake()
    sent = client.request("POST", "node:1", "/exec/abc?x=y", [*upgrade_headers("SPDY/3.1"), *VERSIONS]) + early
    request, rest = received(server, data.draw(pieces(sent)))
    assert (request.method, request.target) == ("POST", "/exec/abc?x=y")
    assert request.values("x-stream-protocol-version") == ["v4.channel.k8s.io", "v3.channel.k8s.io"]
    assert request.asks_for("spdy/3.1")
    switch = server.switch(upgrade_headers("SPDY/3.1"))
    assert server.leftover + b"".join(rest) == early
    response, rest = answered(client, data.draw(pieces(switch + answer)))
    assert (response.status, response.values("upgrade")) == (101, ["SPDY/3.1"])
    assert client.leftover + b"".join(rest) == answer


@given(data=st.data(), message=st.text("abc äö", min_size=1, max_size=200).map(str.strip).filter(bool))
def test_a_refusal_is_told(data: st.DataObject, message: str) -> None:
    server = ServerHandshake()
    received(server, [UPGRADE])
    refusal = server.refuse(403, message, [("x-accepted", "this")])
    response, _ = answered(asking(), data.draw(pieces(refusal)))
    assert (response.status, response.body, response.values("x-accepted")) == (403, message, ["this"])
    assert server.refuse(500, "again") == b""


@given(garbage=st.binary(min_size=1, max_size=300), data=st.data())
def test_garbage_is_an_error_or_not_enough(garbage: bytes, data: st.DataObject) -> None:
    server, client = ServerHandshake(), asking()
    for side in (server, client):
        try:
            for piece in data.draw(pieces(garbage)):
                side.receive_data(piece)
        except ProtocolError:
            pass


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT_BYTES, id="a header without end"),
        pytest.param(b"G" * (HEAD_LIMIT_BYTES + 1), id="a method without end"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEAD_LIMIT_BYTES // 6 + 1), id="endless headers"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\0d\r\n\r\n", id="a NUL in a header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n", id="two lengths"),
    ],
)
def test_what_is_no_request(said: bytes) -> None:
    server = ServerHandshake()
    with pytest.raises(ProtocolError):
        server.receive_data(said)
    assert server.refuse(400, "no").startswith(b"HTTP/1.1 400 ")


def test_an_end_before_the_request_is_an_error() -> None:
    server = ServerHandshake()
    assert server.receive_data(UPGRADE[:20]) is None
    with pytest.raises(ProtocolError):
        server.receive_data(b"")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(UPGRADE[:-2] + b"Content-Length: 5\r\n\r\nhello", id="a body"),
        pytest.param(b"POST /exec/abc HTTP/1.1\r\nHost: node\r\n\r\n", id="no upgrade"),
    ],
)
def test_what_cannot_be_upgraded(head: bytes) -> None:
    server = ServerHandshake()
    received(server, [head])
    with pytest.raises(ProtocolError):
        server.switch(upgrade_headers("SPDY/3.1"))


@pytest.mark.parametrize(
    ("connection", "upgrade", "asked"),
    [
        ("Upgrade", "SPDY/3.1", True),
        ("upgrade", "spdy/3.1", True),
        ("keep-alive , UPGRADE", "websocket, SPDY/3.1", True),
        ("close", "SPDY/3.1", False),
        ("Upgrade", "websocket", False),
        ("", "", False),
    ],
)
def test_asking_for_a_protocol(connection: str, upgrade: str, asked: bool) -> None:
    request = UpgradeRequest(method="GET", target="/", headers=(("connection", connection), ("upgrade", upgrade)))
    assert request.asks_for("SPDY/3.1") == asked


def test_no_more_of_a_refusal_is_kept_than_is_worth_printing() -> None:
    head = b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000000\r\n\r\n"
    response, _ = answered(asking(), [head, *[b"x" * 1000] * 100])
    assert len(response.body) == BODY_LIMIT_BYTES


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT_BYTES]
)
def test_what_is_no_answer(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        asking().receive_data(said)


def test_a_refusal_that_ends_with_the_connection() -> None:
    response, _ = answered(asking(), [b"HTTP/1.1 502 Bad Gateway\r\n\r\nno such", b" host\n", b""])
    assert (response.status, response.body) == (502, "no such host")
