from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.linux.inotify import IN_CREATE, IN_DELETE, IN_MODIFY, Inotify

WAIT_S = patient(60.0)


@pytest.fixture
async def inotify() -> AsyncIterator[Inotify]:
    made = Inotify()
    yield made
    made.close()


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(WAIT_S):
        await event.wait()


async def test_each_watch_is_woken_by_its_own_changes(inotify: Inotify, tmp_path: Path) -> None:
    file, created, modified = tmp_path / "f", asyncio.Event(), asyncio.Event()
    inotify.add(str(tmp_path), IN_CREATE, created.set)
    file.touch()
    await happens(created)
    inotify.add(str(file), IN_MODIFY, modified.set)
    created.clear()
    file.write_bytes(b"x")
    await happens(modified)
    assert not created.is_set()


async def test_two_watches_of_one_file_are_removed_one_by_one(inotify: Inotify, tmp_path: Path) -> None:
    file, first, second = tmp_path / "f", asyncio.Event(), asyncio.Event()
    file.touch()
    number = inotify.add(str(file), IN_MODIFY, first.set)
    assert inotify.add(str(file), IN_MODIFY, second.set) == number
    inotify.remove(number, first.set)
    file.write_bytes(b"x")
    await happens(second)
    assert not first.is_set()
    inotify.remove(number, second.set)
    inotify.remove(number, second.set)


async def test_a_watch_of_a_file_that_is_gone_is_removed(inotify: Inotify, tmp_path: Path) -> None:
    file, gone = tmp_path / "f", asyncio.Event()
    file.touch()
    number = inotify.add(str(file), IN_MODIFY, gone.set)
    file.unlink()
    await happens(gone)  # the kernel ended the watch
    inotify.remove(number, gone.set)


async def test_what_does_not_exist_cannot_be_watched(inotify: Inotify, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        inotify.add(str(tmp_path / "none"), IN_MODIFY, lambda: None)


async def test_more_events_than_the_kernel_keeps_wake_everyone(inotify: Inotify, tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    woken = asyncio.Event()
    for name, wake in (("quiet", woken.set), ("busy", lambda: None), ("other", lambda: None)):
        (tmp_path / name).touch()
        inotify.add(str(tmp_path / name), IN_MODIFY, wake)
    # The kernel joins equal events that follow each other: so two files take turns.
    files = [os.open(tmp_path / name, os.O_WRONLY) for name in ("busy", "other")]
    try:
        for turn in range(limit + 10):
            os.pwrite(files[turn % 2], b"x", 0)
    finally:
        for descriptor in files:
            os.close(descriptor)
    await happens(woken)


async def test_notices_name_what_has_changed_in_order(inotify: Inotify, tmp_path: Path) -> None:
    notices: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
    inotify.add_notices(str(tmp_path), IN_CREATE | IN_DELETE, lambda mask, name: notices.put_nowait((mask, name)))
    (tmp_path / "a").touch()
    (tmp_path / "a").unlink()
    (tmp_path / "b-longer-name").touch()
    async with asyncio.timeout(WAIT_S):
        found = [await notices.get() for _ in range(3)]
    assert found == [(IN_CREATE, "a"), (IN_DELETE, "a"), (IN_CREATE, "b-longer-name")]
