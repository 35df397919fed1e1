"""Sizes of writable layers: what is counted, when it is counted again, and what is given up."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from podwright.runtime.model.usage import LayerUsage
from podwright.runtime.stats import layers
from podwright.runtime.stats.layers import WalkPace, WritableLayers, measure


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def _pace() -> WalkPace:
    return WalkPace(lambda: False).starting()


def _blocks(*paths: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    directory = tmp_path / "upper"
    (directory / "etc/deep").mkdir(parents=True)
    (directory / "etc/hosts").write_text("x" * 10000)
    (directory / "etc/deep/empty").touch()
    return directory


def test_everything_below_counts_and_the_directory_itself(upper: Path) -> None:
    names = (upper, upper / "etc", upper / "etc/deep", upper / "etc/hosts", upper / "etc/deep/empty")
    usage = measure(str(upper), _pace())
    assert (usage.used_bytes, usage.inodes) == (_blocks(*names), 5)
    assert abs(usage.timestamp - time.time_ns()) < 60e9


def test_hard_links_count_once_and_links_lead_nowhere(upper: Path, tmp_path: Path) -> None:
    before = measure(str(upper), _pace())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/big").write_bytes(b"x" * 100_000)
    for number in range(3):
        os.link(upper / "etc/hosts", upper / f"link{number}")
    (upper / "out").symlink_to(tmp_path / "outside")
    (upper / "root").symlink_to("/")
    after = measure(str(upper), _pace())
    assert after.inodes == before.inodes + 2
    assert after.used_bytes - before.used_bytes < 100_000


def test_a_directory_that_becomes_a_link_leads_nowhere(upper: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    for number in range(50):
        (tmp_path / f"outside/{number}").touch()
    swapped = upper / "etc/deep"

    class Swapping(WalkPace):
        def step(self) -> None:
            if swapped.is_dir() and not swapped.is_symlink():
                (swapped / "empty").unlink(missing_ok=True)
                swapped.rmdir()
                swapped.symlink_to(tmp_path / "outside")

    assert measure(str(upper), Swapping(lambda: False).starting()).inodes < 10


def test_names_that_are_no_text(upper: Path) -> None:
    os.mkdir(os.fsencode(upper) + b"/\xff\xfe")
    os.close(os.open(os.fsencode(upper) + b"/\xff\xfe/\xfd", os.O_CREAT))
    assert measure(str(upper), _pace()).inodes == 7


def test_one_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        measure(str(tmp_path / "gone"), _pace())


def test_what_is_too_much_is_given_up(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "PENDING_LIMIT", 5)
    for number in range(10):
        (upper / str(number)).mkdir()
    with pytest.raises(ResourceExhausted):
        measure(str(upper), _pace())


def test_a_walk_has_a_deadline(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "WALK_LIMIT_S", -1.0)
    with pytest.raises(DeadlineExceeded):
        measure(str(upper), _pace())


def test_a_walk_ends_with_the_daemon(upper: Path) -> None:
    with pytest.raises(Unavailable):
        measure(str(upper), WalkPace(lambda: True).starting())


@pytest_asyncio.fixture
async def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def known(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WritableLayers]:
    monkeypatch.setattr(layers, "PATIENCE_S", 30.0)
    sizes = WritableLayers(clock)
    yield sizes
    await sizes.close()


async def _inodes(known: WritableLayers, upper: Path) -> int | None:
    usage: LayerUsage | None = (await known.usages({"a": str(upper)})).get("a")
    return usage.inodes if usage else None


async def test_the_first_answer_is_waited_for_and_kept(known: WritableLayers, upper: Path, clock: Clock) -> None:
    assert await _inodes(known, upper) == 5
    (upper / "more").touch()
    clock.now_s += layers.FRESH_S - 1
    assert await _inodes(known, upper) == 5
    clock.now_s += 2
    assert await _inodes(known, upper) == 6


async def test_what_took_long_is_not_done_often(known: WritableLayers, upper: Path, clock: Clock) -> None:
    def slow(path: str, pace: WalkPace) -> LayerUsage:
        clock.now_s += 2.0  # as the walk's clock sees it
        return measure(path, pace)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "measure", slow)
        assert await _inodes(known, upper) == 5
    (upper / "more").touch()
    clock.now_s += layers.SHARE * 2.0 - 1
    assert await _inodes(known, upper) == 5
    clock.now_s += 2
    assert await _inodes(known, upper) == 6


async def test_nobody_waits_for_long(upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "PATIENCE_S", 0.0)
    hold = threading.Event()

    def held(path: str, pace: WalkPace) -> LayerUsage:
        hold.wait(patient(60))
        return measure(path, pace)

    monkeypatch.setattr(layers, "measure", held)
    known = WritableLayers()
    try:
        assert await _inodes(known, upper) is None
        assert await _inodes(known, upper) is None
        hold.set()
        async with asyncio.timeout(patient(60)):
            while await _inodes(known, upper) is None:  # noqa: ASYNC110 # a walk tells nobody
                await asyncio.sleep(0.01)
    finally:
        hold.set()
        await known.close()


async def test_one_that_is_gone_hurts_nobody(known: WritableLayers, upper: Path, tmp_path: Path) -> None:
    found = await known.usages({"gone": str(tmp_path / "gone"), "a": str(upper)})
    assert set(found) == {"a"}


async def test_what_nobody_asks_for_is_forgotten(known: WritableLayers, upper: Path, clock: Clock) -> None:
    await known.usages({"a": str(upper)})
    clock.now_s += layers.FORGET_S + 1
    await known.usages({"b": str(upper)})
    (upper / "more").touch()
    assert await _inodes(known, upper) == 6  # walked anew
