"""A log as bytes: its limits, its growth, its rotation, and clients that read slowly."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from podwright.agent.server.api import log_stream
from podwright.agent.server.api.log_options import LogOptions
from podwright.agent.server.api.log_stream import LogStream
from podwright.conformance.patience import patient
from tests.harness.descriptors import opened

WAIT_S = patient(60.0)


def record(number: int, text: str, stream: str = "stdout") -> str:
    return f"2026-01-02T03:04:{number:02d}.5Z {stream} F {text}\n"


async def read(path: Path, options: LogOptions) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return b"".join([part async for part in LogStream(str(path), options, lambda: True).parts()])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_text(record(1, "one") + record(2, "two", "stderr") + record(3, "three"))
    return path


async def test_all_of_it_and_parts(log: Path) -> None:
    assert await read(log, LogOptions()) == b"one\ntwo\nthree\n"
    assert await read(log, LogOptions(tail_lines=2)) == b"two\nthree\n"
    assert await read(log, LogOptions(tail_lines=0)) == b""
    assert await read(log, LogOptions(limit_bytes=5)) == b"one\nt"
    assert await read(log, LogOptions(stream="stderr")) == b"two\n"
    assert await read(log, LogOptions(timestamps=True, tail_lines=1)) == b"2026-01-02T03:04:03.500000000Z three\n"
    assert await read(log, LogOptions(since_ns=1_767_323_042_500_000_000)) == b"two\nthree\n"


async def test_partial_lines_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(
        "2026-01-02T03:04:01.5Z stdout P be\n2026-01-02T03:04:01.6Z stdout F gun\n2026-01-02T03:04:02Z stdout P open\n"
    )
    assert await read(path, LogOptions()) == b"begun\nopen"


async def test_it_grows_is_rotated_and_ends(log: Path) -> None:
    over = False
    stream = LogStream(str(log), LogOptions(follow=True, tail_lines=1), lambda: over)
    parts = stream.parts()
    seen = b""

    async def until(text: bytes) -> None:
        nonlocal seen
        async with asyncio.timeout(WAIT_S):
            while text not in seen:
                seen += await anext(parts)

    await until(b"three\n")
    with log.open("a") as file:
        file.write(record(4, "four"))
    await until(b"four\n")
    os.rename(log, log.with_suffix(".old"))
    log.write_text(record(5, "five"))
    await until(b"five\n")
    over = True
    async with asyncio.timeout(WAIT_S):
        assert [part async for part in parts] == []
    assert seen == b"three\nfour\nfive\n"


async def test_a_slow_reader_holds_the_reading_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "0.log"
    path.write_text("".join(record(1, "x" * 1000) for _ in range(5000)))
    stream = LogStream(str(path), LogOptions(), lambda: True)
    parts = stream.parts()
    first = await anext(parts)
    await asyncio.sleep(0.2)
    assert stream._parts.qsize() <= log_stream.PARTS  # the rest is still in the file
    assert len(first) < 1_000_000
    rest = [part async for part in parts]
    assert len(first) + sum(map(len, rest)) == 5000 * 1001


async def test_a_reader_that_goes_leaves_nothing(log: Path) -> None:
    open_before, tasks_before = opened(), asyncio.all_tasks()
    parts = LogStream(str(log), LogOptions(follow=True), lambda: False).parts()
    await anext(parts)
    await parts.aclose()  # type: ignore[attr-defined] # an async generator
    assert asyncio.all_tasks() <= tasks_before
    assert not opened() - open_before
