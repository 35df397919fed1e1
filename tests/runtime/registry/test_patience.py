from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from podwright import errors
from podwright.runtime.registry import patience
from podwright.runtime.registry.failure import HostFailure, Rank
from podwright.runtime.registry.patience import DownloadPace, Patience, retry_after_s
from tests.harness.scripted_registry import Answer, ScriptedRegistry, fixed
from tests.runtime.registry.asking import (
    BLOB,
    BLOB_PATH,
    DESCRIPTOR,
    TAG_PATH,
    Memory,
    blob,
    client,
    hosts_toml,
    resolve,
)
from tools.images import Image


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("", None), (None, None), ("-1", None), ("soon", None), ("1.5", None)],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after_s(formatdate(time.time() + 100, usegmt=True)) == pytest.approx(100, abs=5)
    assert retry_after_s(formatdate(time.time() - 100, usegmt=True)) == 0
    assert retry_after_s("Wed, 99 Foo 2026 00:00:00 GMT") is None


def test_pace() -> None:
    pace = DownloadPace(100, 10.0)
    assert not pace.is_too_slow(1, 4.0)
    assert pace.remaining_s == 6.0
    assert not pace.is_too_slow(999, 6.0)
    assert pace.remaining_s == 10.0  # a new window
    assert not pace.is_too_slow(0, 9.0)
    assert pace.is_too_slow(999, 1.0)
    assert DownloadPace(0, 0.0).remaining_s is None
    assert not DownloadPace(0, 0.0).is_too_slow(0, 1e9)


def busy(times: int, status: int, honest: Answer, **headers: str) -> Answer:
    """So many times busy, then as it should."""
    left = times

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal left
        left -= 1
        return await (fixed(status, b"", **headers) if left >= 0 else honest)(request)

    return answer


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_when_it_wants(status: int, registry: ScriptedRegistry) -> None:
    registry.answers[TAG_PATH] = busy(3, status, registry.honest, Retry_After="0")
    await resolve(registry.host)
    assert len(registry.requests) == 4


async def test_waiting_as_long_as_asked(registry: ScriptedRegistry) -> None:
    registry.answers[TAG_PATH] = busy(1, 503, registry.honest, Retry_After="1")
    began = time.monotonic()
    await resolve(registry.host)
    assert time.monotonic() - began >= 1


async def test_who_wants_to_be_asked_tomorrow_is_told_of(registry: ScriptedRegistry) -> None:
    registry.answers[TAG_PATH] = fixed(429, Retry_After="86400")
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: .* 429 .*, and asks to come back in 86400 s"):
        await resolve(registry.host)
    assert len(registry.requests) == 1


async def test_a_busy_mirror_is_not_waited_for(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path
) -> None:
    mirror.answers["*"] = fixed(503, Retry_After="20")
    await resolve(registry.host, certs_d=hosts_toml(tmp_path, f'[host."{mirror.url}"]'))
    assert len(mirror.requests) == 1


async def test_a_busy_token_server(registry: ScriptedRegistry) -> None:
    async def closed(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == "Bearer t":
            return await registry.honest(request)
        challenge = f'Bearer realm="{registry.url}/token",service="s"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    registry.answers[TAG_PATH] = closed
    registry.answers["/token"] = busy(2, 429, fixed(body=b'{"token":"t"}'), Retry_After="0")
    await resolve(registry.host)
    assert registry.paths().count("/token") == 3


async def test_a_mirror_that_never_answers(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, image: Image, tmp_path: Path
) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        raise AssertionError

    mirror.answers["*"] = hang
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]')
    async with client(registry.host, certs_d=certs_d, stall_timeout_s=60.0, mirror_timeout_s=0.2) as one:
        assert (await one.resolve()).digest == image.digest
        sink = Memory()
        await one.blob(DESCRIPTOR, sink)
    assert sink.data == BLOB


def trickling(data: bytes, step_bytes: int, pause_s: float) -> Answer:
    """All of `data`, in small steps."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        for start in range(0, len(data), step_bytes):
            await response.write(data[start : start + step_bytes])
            await asyncio.sleep(pause_s)
        return response

    return answer


async def test_a_slow_mirror_is_left_for_the_next_server(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "RATE_WINDOW_S", 0.3)
    mirror.answers[BLOB_PATH] = trickling(BLOB, 100, 0.05)
    assert await blob(registry.host, certs_d=hosts_toml(tmp_path, f'[host."{mirror.url}"]')) == BLOB
    [seen] = [seen for seen in registry.requests if seen.path == BLOB_PATH]
    assert seen.headers["Range"] != "bytes=0-"  # what came is kept


async def test_a_mirror_that_falls_silent_is_left(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "RATE_WINDOW_S", 0.2)
    mirror.answers[BLOB_PATH] = trickling(BLOB, 1000, 3600)
    sink = Memory()
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]')
    async with client(registry.host, certs_d=certs_d, stall_timeout_s=3600.0) as one:
        await one.blob(DESCRIPTOR, sink)
    assert sink.data == BLOB


async def test_slow_is_better_than_nothing(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry itself does not answer: the mirror, found slow once, may take its time."""
    monkeypatch.setattr(patience, "RATE_WINDOW_S", 0.1)
    mirror.answers[BLOB_PATH] = trickling(BLOB, len(BLOB) // 10, 0.12)
    registry.answers["*"] = fixed(404)
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]')
    sink = Memory()
    async with client(registry.host, certs_d=certs_d, mirror_min_rate_bytes_s=1 << 30) as one:
        await one.blob(DESCRIPTOR, sink)
    assert sink.data == BLOB
    assert len(registry.requests) == 1


async def test_pause_raises_what_cannot_be_waited_out() -> None:
    failure = HostFailure(Rank.UNAVAILABLE, "x", status=404)
    with pytest.raises(HostFailure) as raised:
        await patience.pause(failure, 1, Patience())
    assert raised.value is failure
