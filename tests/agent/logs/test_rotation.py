"""Logs that grow, on real files, under a runtime in memory that opens them."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from podwright.agent.logs.rotation import LogLimits, LogRotator
from podwright.agent.pleg.cache import StatusCache
from podwright.errors import DeadlineExceeded, Unavailable
from tests.agent.fakes.configs import container_config, sandbox_config
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual

LIMITS = LogLimits(max_size_bytes=100, max_files=4)
PART = re.compile(r"0\.log\.\d{8}-\d{6}(\.gz)?")


class LoggingRuntime(FakeRuntime):
    """Opens a container's log anew when it is asked to. `answers` False: it does, and the answer is lost."""

    answers = True

    async def reopen_log(self, container_id: str) -> None:
        await super().reopen_log(container_id)
        Path((await self.container_status(container_id)).log_path).touch()
        if not self.answers:
            raise DeadlineExceeded("late")


class Scene:
    """One container with a log."""

    def __init__(self, directory: Path, limits: LogLimits) -> None:
        self.directory = directory
        self.log = directory / "main/0.log"
        self.clock = VirtualClock()
        self.runtime = LoggingRuntime(self.clock)
        self.cache = StatusCache(self.runtime, self.clock, lambda _: None)
        self.rotator = LogRotator(self.runtime, self.cache.all, self.clock, limits)
        self.container = ""

    async def start(self) -> None:
        config = sandbox_config()
        config.log_directory = str(self.directory)
        of = container_config()
        of.log_path = "main/0.log"
        sandbox = await self.runtime.run_sandbox(config, "")
        self.container = await self.runtime.create_container(sandbox, of, config)
        await self.runtime.start_container(self.container)
        self.log.parent.mkdir(parents=True)
        self.log.write_text("")
        await self.cache.look("uid1")

    def grow(self, text: str, to: int = 100) -> None:
        self.log.write_text(text * to)

    def parts(self) -> list[str]:
        names = sorted(path.name for path in self.log.parent.iterdir() if path.name != "0.log")
        assert all(PART.fullmatch(name) for name in names), names
        return names

    def first_characters(self) -> str:
        """Of each part, the oldest first."""
        texts = []
        for name in self.parts():
            data = (self.log.parent / name).read_bytes()
            texts.append((gzip.decompress(data) if name.endswith(".gz") else data).decode()[:1])
        return "".join(texts)


def with_scene(directory: Path, check: Callable[[Scene], Awaitable[None]], limits: LogLimits = LIMITS) -> None:
    async def run() -> None:
        scene = Scene(directory, limits)
        await scene.start()
        task = asyncio.create_task(scene.rotator.run())
        await asyncio.sleep(1)
        try:
            await check(scene)
        finally:
            task.cancel()

    run_virtual(run())


def test_logs_are_rotated_and_then_compressed_and_then_removed(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        for text in "abcdef":
            scene.grow(text)
            await asyncio.sleep(11)
            assert scene.log.read_text() == ""
        assert scene.first_characters() == "def"
        assert [name.endswith(".gz") for name in scene.parts()] == [True, True, False]
        assert scene.runtime.count("reopen_log") == 6

    with_scene(tmp_path, check)


def test_two_rotations_in_one_second_lose_nothing(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        for text in "abc":
            with scene.log.open("a") as file:
                file.write(text * 100)
            await scene.rotator.rotate_all()
        await asyncio.sleep(11)
        (older, newer) = scene.parts()
        assert gzip.decompress((scene.log.parent / older).read_bytes()) == b"a" * 100
        assert (scene.log.parent / newer).read_text() == "b" * 100 + "c" * 100

    with_scene(tmp_path, check)


def test_small_logs_cost_no_call(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        scene.grow("a", 99)
        calls = len(scene.runtime.calls)
        await asyncio.sleep(3600)
        assert scene.log.read_text() == "a" * 99
        assert len(scene.runtime.calls) == calls

    with_scene(tmp_path, check)


@pytest.mark.parametrize("size", [0, -1])
def test_rotation_can_be_off(tmp_path: Path, size: int) -> None:
    async def check(scene: Scene) -> None:
        scene.grow("a", 1000)
        await asyncio.sleep(60)
        assert scene.parts() == []

    with_scene(tmp_path, check, LogLimits(max_size_bytes=size))


def test_the_logs_of_what_has_ended_stay(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        await scene.runtime.end("main", 0)
        await scene.cache.look("uid1")
        scene.grow("a", 1000)
        await asyncio.sleep(60)
        assert scene.parts() == []

    with_scene(tmp_path, check)


def test_a_log_that_is_not_reopened_gets_its_name_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(scene: Scene) -> None:
        scene.grow("a")
        scene.runtime.failures["reopen_log"] = [Unavailable("away")] * 3
        await asyncio.sleep(30)
        assert scene.log.read_text() == "a" * 100
        assert scene.parts() == []
        assert caplog.text.count("cannot rotate a log") == 1
        await asyncio.sleep(11)
        assert scene.first_characters() == "a"

    with_scene(tmp_path, check)


def test_a_new_log_is_not_replaced_when_only_the_answer_was_lost(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        scene.grow("a")
        scene.runtime.answers = False
        await asyncio.sleep(11)
        assert scene.log.read_text() == ""
        assert scene.first_characters() == "a"

    with_scene(tmp_path, check)


def test_a_log_that_is_missing_is_opened_anew(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        scene.log.rename(scene.log.with_name("0.log.20260101-000000"))  # an agent has died between its two steps
        await asyncio.sleep(11)
        assert scene.log.read_text() == ""
        assert scene.parts() == ["0.log.20260101-000000"]

    with_scene(tmp_path, check)


def test_leftovers_of_an_agent_that_died_are_mended(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        folder = scene.log.parent
        (folder / "0.log.20260101-000000").write_text("x" * 100)
        (folder / "0.log.20260101-000000.tmp").write_text("half")
        (folder / "0.log.20260102-000000").write_text("y" * 100)
        (folder / "0.log.20260102-000000.gz").write_bytes(gzip.compress(b"y" * 100))
        (folder / "10.log.20260102-000000").write_text("another instance's")
        scene.grow("a")
        await asyncio.sleep(11)
        (folder / "10.log.20260102-000000").unlink()
        assert scene.first_characters() == "axy"
        assert sum(name.endswith(".gz") for name in scene.parts()) == 2

    with_scene(tmp_path, check)


def test_a_full_disk_leaves_the_log_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(scene: Scene) -> None:
        part = scene.log.parent / "0.log.20260101-000000"
        part.write_text("x" * 100)
        scene.grow("a")
        (scene.log.parent / f"{part.name}.tmp").mkdir()  # the compressed file cannot be written
        await asyncio.sleep(11)
        assert scene.log.read_text() == "a" * 100
        assert part.read_text() == "x" * 100
        os.rmdir(scene.log.parent / f"{part.name}.tmp")
        await asyncio.sleep(11)
        assert scene.log.read_text() == ""

    with_scene(tmp_path, check)


def test_no_more_rotations_at_once_than_workers(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        most, now = 0, 0
        reopen = scene.runtime.reopen_log

        async def slow(container_id: str) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(1)
            now -= 1
            await reopen(container_id)

        scene.runtime.reopen_log = slow  # type: ignore[method-assign]
        for number in range(2, 6):
            other = Scene(tmp_path / str(number), LIMITS)
            other.runtime = scene.runtime
            await other.start()
            other.grow("a")
        await scene.cache.look("uid1")
        await asyncio.sleep(20)
        assert most == 2
        assert all(len(list((tmp_path / f"{number}/main").iterdir())) == 2 for number in range(2, 6))

    with_scene(tmp_path, check, LogLimits(max_size_bytes=100, workers=2))
