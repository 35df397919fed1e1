"""Following a file that comes later, grows, is rotated and truncated; with inotify, and where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from podwright.conformance.patience import patient
from podwright.crilog import follow
from podwright.crilog.follow import LogFollower, LogWatch
from podwright.crilog.lines import Line, LineParser
from podwright.crilog.tail import Tail
from tests.crilog.build import record
from tests.harness.descriptors import opened

WAIT_S = patient(60.0)


class Followed:
    """One follower at work, and what it has emitted."""

    def __init__(self, path: Path, watch: LogWatch, parser: LineParser) -> None:
        self._lines: list[Line] = []
        self._arrived = asyncio.Event()
        self.follower = LogFollower(str(path), parser, self._emit, watch)
        self.task = asyncio.create_task(self.follower.run())

    def _emit(self, line: Line) -> None:
        self._lines.append(line)
        self._arrived.set()

    @property
    def texts(self) -> list[bytes]:
        return [line.text for line in self._lines]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self._lines) < count:
                self._arrived.clear()
                await self._arrived.wait()

    async def end(self) -> list[bytes]:
        self.follower.finish()
        async with asyncio.timeout(WAIT_S):
            await self.task
        return self.texts


@pytest.fixture(params=["inotify", "polling"])
def watch(request: pytest.FixtureRequest) -> Iterator[Callable[[], LogWatch]]:
    """Makes a watch, in one case on a machine that gives no inotify instance."""
    with contextlib.ExitStack() as stack:
        if request.param == "polling":
            stack.enter_context(patch.object(follow, "Inotify", side_effect=OSError))
        else:
            # Whoever relied on looking again would wait for longer than the test may take.
            stack.enter_context(patch.object(follow, "POLL_S", 1000.0))
            stack.enter_context(patch.object(follow, "LOOK_AGAIN_S", 1000.0))
        yield LogWatch


@pytest.fixture
async def following(watch: Callable[[], LogWatch]) -> AsyncIterator[Callable[..., Followed]]:
    made: list[Followed] = []
    shared = watch()

    def start(path: Path, parser: LineParser | None = None) -> Followed:
        made.append(Followed(path, shared, parser or LineParser()))
        return made[-1]

    yield start
    for each in made:
        each.task.cancel()
    await asyncio.gather(*(each.task for each in made), return_exceptions=True)
    shared.close()


def full(text: bytes) -> bytes:
    return record("stdout", b"F", text)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def test_a_file_that_comes_later_grows_and_is_rotated(
    following: Callable[..., Followed], tmp_path: Path
) -> None:
    path = tmp_path / "0.log"
    followed = following(path)
    await asyncio.sleep(0)
    path.write_bytes(full(b"first"))
    await followed.until(1)
    append(path, full(b"second"))
    await followed.until(2)
    path.rename(tmp_path / "0.log.old")
    append(tmp_path / "0.log.old", full(b"after the move"))
    path.write_bytes(full(b"third"))
    await followed.until(4)
    append(path, full(b"last"))
    assert await followed.end() == [b"first", b"second", b"after the move", b"third", b"last"]


async def test_a_line_may_go_on_in_the_file_after_a_rotation(
    following: Callable[..., Followed], tmp_path: Path
) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(full(b"a") + record("stdout", b"P", b"on"))
    followed = following(path)
    await followed.until(1)
    path.rename(tmp_path / "0.log.old")
    path.write_bytes(record("stdout", b"F", b"e"))
    await followed.until(2)
    assert await followed.end() == [b"a", b"one"]


async def test_a_truncated_file_is_read_anew(following: Callable[..., Followed], tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(full(b"a long first line"))
    followed = following(path)
    await followed.until(1)
    os.truncate(path, 0)
    append(path, full(b"b"))
    await followed.until(2)
    assert await followed.end() == [b"a long first line", b"b"]


async def test_followers_of_one_directory_and_of_one_file(following: Callable[..., Followed], tmp_path: Path) -> None:
    first, second, third = (
        following(tmp_path / "0.log"),
        following(tmp_path / "1.log"),
        following(tmp_path / "1.log"),
    )
    await asyncio.sleep(0)
    append(tmp_path / "1.log", full(b"one"))
    await second.until(1)
    assert await second.end() == [b"one"]
    append(tmp_path / "1.log", full(b"more"))
    append(tmp_path / "0.log", full(b"zero"))
    await third.until(2)
    await first.until(1)
    assert await first.end() == [b"zero"]
    assert await third.end() == [b"one", b"more"]


async def test_a_file_behind_a_link(following: Callable[..., Followed], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real/0.log"
    real.write_bytes(full(b"a"))
    (tmp_path / "link.log").symlink_to(real)
    followed = following(tmp_path / "link.log")
    await followed.until(1)
    real.rename(tmp_path / "real/0.log.old")
    real.write_bytes(full(b"b"))
    await followed.until(2)
    assert await followed.end() == [b"a", b"b"]


async def test_what_was_written_before_the_end_is_read(following: Callable[..., Followed], tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(full(b"a") + record("stdout", b"P", b"no newline"))
    assert await following(path).end() == [b"a", b"no newline"]
    assert await following(tmp_path / "never.log").end() == []


async def test_from_a_tail_on(following: Callable[..., Followed], tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(full(b"a") + full(b"b"))
    followed = following(path, Tail(offset=len(full(b"a"))).parser())
    await followed.until(1)
    append(path, full(b"c"))
    assert await followed.end() == [b"b", b"c"]


async def test_a_file_that_cannot_be_read_ends_it(following: Callable[..., Followed], tmp_path: Path) -> None:
    followed = following(tmp_path)
    with pytest.raises(IsADirectoryError):
        await followed.end()


async def test_nothing_stays_open(watch: Callable[[], LogWatch], tmp_path: Path) -> None:
    before = opened()
    path, shared = tmp_path / "0.log", watch()
    path.write_bytes(full(b"a"))
    followed = Followed(path, shared, LineParser())
    await followed.until(1)
    followed.task.cancel()
    await asyncio.gather(followed.task, return_exceptions=True)
    shared.close()
    assert not opened() - before
