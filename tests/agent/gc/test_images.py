"""The collector of images, on virtual time, with a disk that a test fills."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest

from podwright.agent.gc.images import ImageGc, ImageGcPorts
from podwright.agent.gc.unused_images import Disk, ImagePolicy, size_text
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.runtime.records import ImageStatus
from podwright.errors import Internal, ResourceExhausted, Unavailable
from tests.agent.fakes.configs import IMAGE, container_config, sandbox_config
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual

HOUR = 3600.0


class Scene:
    """A disk of 1000 bytes on which nothing but images takes space, besides `other_bytes`."""

    def __init__(self, **policy: float) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.cache = StatusCache(self.runtime, self.clock, lambda _: None)
        self.events = RecordedEvents()
        self.other_bytes = 0
        self.capacity_bytes = 1000
        self.remaining: list[list[str]] = []
        ports = ImageGcPorts(
            images=self.runtime,
            runtime=self.runtime,
            observed=self.cache.all,
            events=self.events,
            clock=self.clock,
            on_removed=self.note,
            disk=self.disk,
        )
        self.gc = ImageGc(ports, ImagePolicy(**policy))  # type: ignore[arg-type]

    def note(self, remaining: Iterable[str], began_ns: int) -> None:
        self.remaining.append(sorted(remaining))

    def disk(self, path: str) -> Disk:
        used = self.other_bytes + sum(image.size_bytes for image in self.runtime.images_by_name.values())
        return Disk(capacity_bytes=self.capacity_bytes, available_bytes=self.capacity_bytes - used)

    def pull(self, name: str, size: int = 100, *, pinned: bool = False) -> None:
        self.runtime.images_by_name[name] = ImageStatus(id=name, tags=(f"{name}:1",), size_bytes=size, pinned=pinned)

    async def use(self, image: str, name: str = "main") -> str:
        sandbox = await self.runtime.run_sandbox(sandbox_config(), "")
        config = container_config(name)
        config.image.image = image
        return await self.runtime.create_container(sandbox, config, sandbox_config())

    async def gc_fails(self, match: str) -> None:
        with pytest.raises(ResourceExhausted, match=match):
            await self.gc.collect()

    @property
    def left(self) -> list[str]:
        return sorted(self.runtime.images_by_name)


def with_scene(check: Callable[[Scene], Awaitable[None]], *, runs: bool = True, **policy: float) -> None:
    async def run() -> None:
        scene = Scene(**policy)
        task = asyncio.create_task(scene.gc.run()) if runs else None
        try:
            await check(scene)
        finally:
            if task is not None:
                task.cancel()

    run_virtual(run())


def test_below_the_threshold_everything_stays() -> None:
    async def check(scene: Scene) -> None:
        for number in range(8):
            scene.pull(f"image{number}")
        await asyncio.sleep(24 * HOUR)
        assert len(scene.left) == 8
        assert scene.remaining == []

    with_scene(check)


def test_the_longest_unused_go_until_the_low_threshold() -> None:
    async def check(scene: Scene) -> None:
        for name in ("a", "b", "c", "never"):
            scene.pull(name)
        first = await scene.use("a", "first")
        second = await scene.use("b", "second")
        await scene.use("c", "third")
        await asyncio.sleep(HOUR)
        await scene.runtime.remove_container(second)
        await asyncio.sleep(HOUR)
        await scene.runtime.remove_container(first)
        await asyncio.sleep(HOUR)
        scene.other_bytes = 500  # 90 % are in use, 80 % shall be
        await asyncio.sleep(300)
        assert scene.left == ["a", "b", "c"]
        scene.other_bytes = 650
        await asyncio.sleep(300)
        assert scene.left == ["c"]  # 85 % of 1000: 150 bytes too many
        assert scene.remaining[-1] == ["c"]

    with_scene(check)


@pytest.mark.parametrize("by", ["id", "tag", "volume"])
def test_images_in_use_stay_however_full_the_disk_is(by: str) -> None:
    async def check(scene: Scene) -> None:
        scene.pull("a")
        if by == "volume":
            sandbox = await scene.runtime.run_sandbox(sandbox_config(), "")
            config = container_config()
            config.mounts.add(container_path="/data").image.image = "a"
            await scene.runtime.create_container(sandbox, config, sandbox_config())
        else:
            await scene.use("a" if by == "id" else "a:1")
        scene.pull(IMAGE, 0)
        scene.other_bytes = 890
        await asyncio.sleep(HOUR)
        assert "a" in scene.left
        assert "FreeDiskSpaceFailed" in scene.events.reasons()

    with_scene(check)


def test_pinned_and_young_images_stay() -> None:
    async def check(scene: Scene) -> None:
        scene.pull("pinned", pinned=True)
        scene.other_bytes = 900
        await scene.gc_fails("Insufficient free disk space")
        scene.pull("young", 0)
        await scene.gc_fails("freed 0 bytes")
        await asyncio.sleep(119)
        await scene.gc_fails("Insufficient")
        assert scene.left == ["pinned", "young"]
        await asyncio.sleep(2)
        await scene.gc_fails("Insufficient")
        assert scene.left == ["pinned"]

    with_scene(check, runs=False)


def test_images_go_by_age_once_the_agent_has_run_for_so_long() -> None:
    async def check(scene: Scene) -> None:
        scene.pull("a")
        scene.pull("used")
        await scene.use("used")
        await asyncio.sleep(HOUR / 2)
        scene.pull("later")
        await asyncio.sleep(HOUR / 2)
        assert scene.left == ["a", "later", "used"]
        await asyncio.sleep(600)
        assert scene.left == ["later", "used"]
        await asyncio.sleep(HOUR)
        assert scene.left == ["used"]

    with_scene(check, high_percent=100, low_percent=80, max_age_s=HOUR)


def test_the_age_of_an_image_is_told_between_collections() -> None:
    async def check(scene: Scene) -> None:
        await asyncio.sleep(1)  # the first collection has seen nothing
        scene.pull("pulled")
        await asyncio.sleep(260)
        scene.pull("young")
        await asyncio.sleep(40)
        assert scene.left == ["young"]

    with_scene(check, max_age_s=60, min_age_s=1)


def test_collection_that_is_off_asks_nothing() -> None:
    async def check(scene: Scene) -> None:
        scene.other_bytes = 1000
        await asyncio.sleep(24 * HOUR)
        assert scene.runtime.calls == []

    with_scene(check, high_percent=100)


def test_an_image_that_cannot_be_removed_does_not_keep_the_others() -> None:
    async def check(scene: Scene) -> None:
        scene.pull("a")
        scene.pull("b")
        await scene.gc.collect()
        await asyncio.sleep(HOUR)
        scene.other_bytes = 700
        scene.runtime.failures["remove_image"] = [Unavailable("busy")]
        with pytest.raises(Internal, match="images cannot be removed: a: busy"):
            await scene.gc.collect()
        assert scene.left == ["a"]

    with_scene(check, runs=False)


def test_a_failure_is_an_event_when_it_repeats() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.down = Unavailable("away")
        await asyncio.sleep(1)
        assert scene.events.seen == []
        await asyncio.sleep(300)
        assert scene.events.seen == [("", "ImageGCFailed", "away")]

    with_scene(check)


def test_a_disk_without_a_size() -> None:
    async def check(scene: Scene) -> None:
        scene.capacity_bytes = 0
        await asyncio.sleep(1)
        assert scene.events.reasons() == ["InvalidDiskCapacity"]

    with_scene(check)


def test_all_unused_images_go_on_demand() -> None:
    async def check(scene: Scene) -> None:
        scene.pull("a", 70)
        scene.pull("used")
        await scene.use("used")
        await scene.gc.collect()
        assert await scene.gc.remove_all_unused() == 0
        await asyncio.sleep(121)
        assert await scene.gc.remove_all_unused() == 70
        assert scene.left == ["used"]

    with_scene(check, runs=False)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 41, "6.0 TiB")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
