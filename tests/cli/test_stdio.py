"""Our own stdin and stdout: pipes, files and readers that stand still or go away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.cli.stdio import KEPT_LIMIT_BYTES, FdSink, FdSource

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            continue  # the test has closed it


async def test_a_pipe_is_read_to_its_end(pipe: Pipe) -> None:
    source = FdSource(pipe[0])
    waiting = asyncio.create_task(source.read())
    await asyncio.sleep(0)
    os.write(pipe[1], b"words")
    assert await waiting == b"words"
    os.close(pipe[1])
    assert await source.read() == b""


async def test_a_file_and_the_null_device_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"words")
    for path, words in ((tmp_path / "file", b"words"), (Path("/dev/null"), b"")):
        fd = os.open(path, os.O_RDONLY)
        source = FdSource(fd)
        assert (await source.read() or b"") == words
        assert await source.read() == b""
        os.close(fd)


async def test_a_reader_that_stands_still_stops_the_writer_and_not_the_loop(pipe: Pipe) -> None:
    sink = FdSink(pipe[1])
    writing = asyncio.create_task(sink.write(b"x" * (2 * KEPT_LIMIT_BYTES)))
    await asyncio.sleep(0.01)
    assert not writing.done()
    received = 0
    while received < 2 * KEPT_LIMIT_BYTES:
        try:
            received += len(os.read(pipe[0], 1 << 20))
        except BlockingIOError:
            await asyncio.sleep(0.001)
    await writing
    await sink.drain()


async def test_a_reader_that_has_gone_is_told(pipe: Pipe) -> None:
    sink = FdSink(pipe[1])
    os.close(pipe[0])
    await sink.write(b"x")
    with pytest.raises(BrokenPipeError):
        await sink.drain()


async def test_a_pipe_that_somebody_made_non_blocking(pipe: Pipe) -> None:
    os.set_blocking(pipe[1], False)
    sink = FdSink(pipe[1])
    words = os.urandom(300_000)
    await sink.write(words)
    received = b""
    while len(received) < len(words):
        try:
            received += os.read(pipe[0], 1 << 20)
        except BlockingIOError:
            await asyncio.sleep(0.001)
    assert received == words
