"""Parameters of streams, families of paths, compressed metrics."""

from __future__ import annotations

import gzip

import pytest

from podwright.agent.server.api import metrics
from podwright.agent.server.api.request_counts import bucket_of
from podwright.agent.server.http.messages import HttpRequest, HttpResponse
from podwright.agent.server.streaming.options import StreamOptions, forwarded_ports, stream_options
from podwright.errors import InvalidArgument
from podwright.streams import upgrade
from podwright.streams.remote_command.protocol import StreamType

WEBSOCKET = upgrade.UpgradeRequest(
    method="GET", target="/", headers=(("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"))
)
SPDY = upgrade.UpgradeRequest(method="POST", target="/", headers=(("connection", "Upgrade"), ("upgrade", "SPDY/3.1")))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"output": ["1"]}, StreamOptions(stdin=False, stdout=True, stderr=False, tty=False)),
        ({"input": ["1"], "error": ["1"]}, StreamOptions(stdin=True, stdout=False, stderr=True, tty=False)),
        (
            {"output": ["1"], "error": ["1"], "tty": ["1"]},
            StreamOptions(stdin=False, stdout=True, stderr=False, tty=True),
        ),
        ({"output": ["1"], "input": ["true"]}, StreamOptions(stdin=False, stdout=True, stderr=False, tty=False)),
    ],
)
def test_streams(query: dict[str, list[str]], wanted: StreamOptions) -> None:
    assert stream_options(query) == wanted


def test_no_stream_at_all() -> None:
    for query in ({}, {"tty": ["1"]}, {"tty": ["1"], "error": ["1"]}, {"output": ["0"]}):
        with pytest.raises(InvalidArgument, match="at least 1"):
            stream_options(query)


def test_streams_in_the_order_of_clients() -> None:
    options = StreamOptions(stdin=True, stdout=True, stderr=False, tty=True)
    assert options.types() == [StreamType.ERROR, StreamType.STDIN, StreamType.STDOUT, StreamType.RESIZE]


def test_ports() -> None:
    assert forwarded_ports(SPDY, {}) == []
    assert forwarded_ports(WEBSOCKET, {"port": ["80", "443,8080"]}) == [80, 443, 8080]


@pytest.mark.parametrize("ports", [[], [""], ["x"], ["0"], ["65536"], ["80,"], ["-1"], ["1"] * 128])
def test_ports_that_are_none(ports: list[str]) -> None:
    with pytest.raises(InvalidArgument):
        forwarded_ports(WEBSOCKET, {"port": ports})


@pytest.mark.parametrize(
    ("path", "bucket"),
    [
        ("/pods", "pods"),
        ("/metrics", "metrics"),
        ("/metrics/cadvisor", "metrics/cadvisor"),
        ("/metrics/x", "other"),
        ("/exec/ns/pod/main", "exec"),
        ("/stats/summary", "stats"),
        ("/", "other"),
        ("/random/123", "other"),
    ],
)
def test_families_of_paths(path: str, bucket: str) -> None:
    assert bucket_of(path) == bucket


async def test_metrics_are_compressed_for_those_who_ask() -> None:
    body = b"metric 1\n" * 1000

    async def make() -> bytes:
        return body

    async def ask(encoding: str) -> HttpResponse:
        head = upgrade.UpgradeRequest(method="GET", target="/metrics", headers=(("accept-encoding", encoding),))
        answer = await metrics.of(make)(HttpRequest(head=head))
        assert isinstance(answer, HttpResponse)
        return answer

    plain = await ask("identity")
    assert plain.body == body
    packed = await ask("deflate, gzip;q=0.8")
    assert isinstance(packed.body, bytes)
    assert gzip.decompress(packed.body) == body
    assert packed.headers == (("content-encoding", "gzip"),)
