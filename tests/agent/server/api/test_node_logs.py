"""The node's log files: what is served, and that nothing else is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podwright.agent.server.api.node_logs import NodeLogPaths
from podwright.agent.server.api.node_query import LogQuery, journal_arguments, node_log_query
from podwright.agent.server.http.messages import HttpRequest, HttpResponse
from podwright.errors import InvalidArgument
from podwright.streams import upgrade


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "log"
    (root / "pods" / "web").mkdir(parents=True)
    (root / "pods" / "web" / "0.log").write_text("hello")
    (root / "syslog").write_text("0123456789")
    (root / "a<b>.txt").write_text("")
    (tmp_path / "secret").write_text("secret")
    (root / "containers").mkdir()
    os.symlink(root / "pods" / "web" / "0.log", root / "containers" / "web.log")
    os.symlink("../pods/web/0.log", root / "containers" / "relative.log")
    os.symlink(tmp_path / "secret", root / "out")
    os.symlink("../secret", root / "out-too")
    os.symlink("/", root / "everything")
    os.symlink("loop", root / "loop")
    os.mkfifo(root / "pipe")
    return root


async def get(root: Path, path: str, **headers: str) -> tuple[HttpResponse, bytes]:
    head = upgrade.UpgradeRequest(method="GET", target=f"/logs/{path}", headers=tuple(headers.items()))
    answer = await NodeLogPaths(str(root), None).get(HttpRequest(head=head, places={"rest": path}))
    assert isinstance(answer, HttpResponse)
    return answer, await whole(answer.body)


async def whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join([part async for part in body])


async def test_files(root: Path) -> None:
    answer, body = await get(root, "syslog")
    assert (answer.status, body, answer.content_type) == (200, b"0123456789", "text/plain; charset=utf-8")
    for link in ("containers/web.log", "containers/relative.log"):
        assert (await get(root, link))[1] == b"hello"


async def test_directories(root: Path) -> None:
    answer, body = await get(root, "")
    assert answer.content_type == "text/html; charset=utf-8"
    assert b'<a href="pods/">pods/</a>' in body
    assert b'<a href="a%3Cb%3E.txt">a&lt;b&gt;.txt</a>' in body
    answer, _ = await get(root, "pods")
    assert (answer.status, answer.headers) == (301, (("location", "pods/"),))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("none", 404),
        ("syslog/none", 404),
        ("../secret", 403),
        ("pods/../../secret", 403),
        ("out", 403),
        ("out-too", 403),
        ("everything/etc/passwd", 403),
        ("loop", 403),
        ("pipe", 403),
        ("sys\0log", 404),
    ],
)
async def test_what_is_not_served(root: Path, path: str, status: int) -> None:
    answer, body = await get(root, path)
    assert answer.status == status
    assert b"secret" not in body


@pytest.mark.parametrize(
    ("header", "status", "body", "shown"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=0-", 200, b"0123456789", ""),
        ("bytes=20-", 416, b"", "bytes */10"),
        ("bytes=1-2,4-5", 200, b"0123456789", ""),
        ("lines=1-2", 200, b"0123456789", ""),
    ],
)
async def test_ranges(root: Path, header: str, status: int, body: bytes, shown: str) -> None:
    answer, found = await get(root, "syslog", range=header)
    assert (answer.status, found) == (status, body)
    assert dict(answer.headers).get("content-range", "") == shown


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, LogQuery()),
        ({"query": ["kubelet"]}, LogQuery(services=("kubelet",))),
        ({"query": ["/pods/a.log"]}, LogQuery(file="/pods/a.log")),
        ({"query": ["kubelet", "crio"], "boot": ["-1"]}, LogQuery(services=("kubelet", "crio"), boot=-1)),
        (
            {"query": ["a"], "tailLines": ["3"], "pattern": ["x+"]},
            LogQuery(services=("a",), tail_lines=3, pattern="x+"),
        ),
    ],
)
def test_queries(query: dict[str, list[str]], wanted: LogQuery) -> None:
    assert node_log_query(query) == wanted


@pytest.mark.parametrize(
    "query",
    [
        {"query": [" "]},
        {"query": ["a", "/b"]},
        {"query": ["/a", "/b"]},
        {"query": ["/a"], "tailLines": ["1"]},
        {"query": ["--file=x"]},
        {"query": ["a;b"]},
        {"query": ["a"] * 5},
        {"query": ["a"], "boot": ["1"]},
        {"query": ["a"], "tailLines": ["100001"]},
        {"query": ["a"], "sinceTime": ["yesterday"]},
        {"query": ["a"], "sinceTime": ["2026-01-02T00:00:00Z"], "untilTime": ["2026-01-01T00:00:00Z"]},
    ],
)
def test_queries_that_are_refused(query: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidArgument):
        node_log_query(query)


def test_the_journal_s_command_line() -> None:
    wanted = LogQuery(services=("kubelet",), since="2026-01-02T03:04:05Z", tail_lines=5, boot=0, pattern="a b")
    assert journal_arguments(wanted) == (
        *("journalctl", "--utc", "--no-pager", "--output=short-precise", "--since=@1767323045.000000"),
        *("--pager-end", "--lines=5", "--unit=kubelet", "--grep=a b", "--case-sensitive=false", "--boot", "0"),
    )
