"""The collector of containers over a fake runtime, with real files for logs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from podwright.agent.gc.containers import ContainerGc, ContainerGcPorts
from podwright.agent.gc.dead import DeadContainerLimits
from podwright.agent.loop import DeadContainers
from podwright.agent.pleg.cache import StatusCache
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable
from tests.agent.fakes.configs import container_config, sandbox_config
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual


class Scene:
    """Pods with logs; `gone` are those of which nothing is needed any more, `ending` those that are on the way."""

    def __init__(self, directory: Path) -> None:
        self.logs = directory / "pods"
        self.links = directory / "containers"
        self.logs.mkdir()
        self.links.mkdir()
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.cache = StatusCache(self.runtime, self.clock, lambda _: None)
        self.events = RecordedEvents()
        self.gone: set[str] = set()
        self.ending: set[str] = set()
        self.foreign: set[str] = set()
        self.sources_read = True
        ports = ContainerGcPorts(
            runtime=self.runtime,
            pods=self,
            look=self.cache.peek,
            is_own=lambda uid: uid not in self.foreign,
            all_sources_read=lambda: self.sources_read,
            events=self.events,
            clock=self.clock,
            log_root=str(self.logs),
            links_directory=str(self.links),
        )
        self.gc = ContainerGc(ports, DeadContainerLimits())

    def should_content_be_removed(self, uid: str) -> bool:
        return uid in self.gone

    def should_runtime_be_removed(self, uid: str) -> bool:
        return uid in self.gone or uid in self.ending

    def is_termination_requested(self, uid: str) -> bool:
        return uid in self.ending

    def config(self, uid: str) -> api.PodSandboxConfig:
        config = sandbox_config(uid)
        config.log_directory = str(self.logs / f"default_{uid}_{uid}")
        return config

    def pod_changed(self, uid: str) -> None:
        """As the sync loop says it."""
        dead: DeadContainers = self.gc
        dead.pod_changed(uid)

    async def sandbox(self, uid: str) -> str:
        return await self.runtime.run_sandbox(self.config(uid), "")

    async def instance(self, sandbox: str, uid: str, attempt: int, *, ends: bool = True) -> str:
        """An instance with a log, a rotated one and a link; the pod's worker has seen its end."""
        config = container_config("main", uid, attempt=attempt)
        config.log_path = f"main/{attempt}.log"
        made = await self.runtime.create_container(sandbox, config, self.config(uid))
        await self.runtime.start_container(made)
        log = Path(self.config(uid).log_directory) / config.log_path
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("text")
        log.with_name(f"{attempt}.log.20260101-000000.gz").write_text("")
        (self.links / f"{uid}_default_main-{made}.log").symlink_to(log)
        if ends:
            await self.runtime.end("main", 1)
        await self.cache.look(uid)
        return made

    async def left(self) -> list[str]:
        return [each.id for each in await self.runtime.containers()]

    def log_files(self) -> list[str]:
        return sorted(path.name for path in self.logs.rglob("*.log*"))


def with_scene(directory: Path, check: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        scene = Scene(directory)
        task = asyncio.create_task(scene.gc.run())
        await asyncio.sleep(1)
        try:
            await check(scene)
        finally:
            task.cancel()

    run_virtual(run())


def test_the_end_of_a_container_removes_the_instances_before_it(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        *_, third = [await scene.instance(sandbox, "uid1", attempt) for attempt in range(3)]
        scene.pod_changed("uid1")
        await asyncio.sleep(1)
        assert await scene.left() == [third]
        assert scene.log_files() == ["2.log", "2.log.20260101-000000.gz"]
        await asyncio.sleep(60)
        assert [path.name for path in scene.links.iterdir()] == [f"uid1_default_main-{third}.log"]

    with_scene(tmp_path, check)


def test_nothing_is_asked_while_nothing_ends(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0, ends=False)
        calls = len(scene.runtime.calls)
        await asyncio.sleep(3600)
        assert len(scene.runtime.calls) == calls

    with_scene(tmp_path, check)


def test_a_pod_that_is_gone_leaves_nothing(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0)
        other = await scene.sandbox("uid2")
        kept = await scene.instance(other, "uid2", 0, ends=False)
        scene.ending.add("uid1")
        scene.pod_changed("uid1")
        await asyncio.sleep(300)
        assert len(await scene.left()) == 2  # it exists still
        await scene.runtime.stop_sandbox(sandbox)
        scene.gone.add("uid1")
        await asyncio.sleep(61)
        assert await scene.left() == [kept]
        assert [each.id for each in await scene.runtime.sandboxes()] == [other]
        assert [path.name for path in scene.logs.iterdir()] == ["default_uid2_uid2"]
        assert len(list(scene.links.iterdir())) == 1

    with_scene(tmp_path, check)


def test_a_pod_that_is_gone_is_removed_at_once(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0)
        other = await scene.sandbox("uid2")
        kept = await scene.instance(other, "uid2", 0, ends=False)
        scene.gone.add("uid1")
        scene.gc.pod_gone("uid1")
        await asyncio.sleep(0.1)
        assert await scene.left() == [kept]
        assert [each.id for each in await scene.runtime.sandboxes()] == [other]
        assert [path.name for path in scene.logs.iterdir()] == ["default_uid2_uid2"]
        assert len(list(scene.links.iterdir())) == 1

    with_scene(tmp_path, check)


def test_what_could_not_be_removed_at_once_is_removed_soon(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0)
        await scene.runtime.stop_sandbox(sandbox)
        scene.gone.add("uid1")
        scene.runtime.down = Unavailable("away")
        scene.gc.pod_gone("uid1")
        await asyncio.sleep(1)
        scene.runtime.down = None
        await asyncio.sleep(5)
        assert await scene.left() == []
        assert await scene.runtime.sandboxes() == []

    with_scene(tmp_path, check)


def test_a_pod_that_is_wanted_again_is_left_alone(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0, ends=False)
        scene.gc.pod_gone("uid1")  # and its worker was made anew since
        await asyncio.sleep(100)
        assert len(await scene.left()) == 1

    with_scene(tmp_path, check)


def test_logs_and_links_of_other_agents_stay(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        directory = scene.logs / "default_web_uid9"
        directory.mkdir()
        link = scene.links / "web_default_main-0123.log"
        link.symlink_to(directory / "main/0.log")
        scene.gone.add("uid9")  # nobody here knows it
        scene.foreign.add("uid9")
        await scene.gc.collect(everything=True)
        assert directory.exists()
        assert link.is_symlink()
        scene.foreign.clear()
        await scene.gc.collect()
        assert not directory.exists()
        assert not link.is_symlink()

    with_scene(tmp_path, check)


def test_nothing_of_unknown_pods_is_removed_before_all_sources_were_read(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        scene.sources_read = False
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0)
        await scene.runtime.stop_sandbox(sandbox)
        scene.gone.add("uid1")
        scene.pod_changed("uid1")
        await asyncio.sleep(120)
        assert len(await scene.left()) == 1
        assert scene.log_files() != []
        scene.sources_read = True
        await asyncio.sleep(60)
        assert await scene.left() == []
        assert list(scene.logs.iterdir()) == []

    with_scene(tmp_path, check)


def test_old_sandboxes_of_a_pod_go_when_they_are_empty(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        old = await scene.sandbox("uid1")
        await scene.instance(old, "uid1", 0)
        await scene.runtime.stop_sandbox(old)
        new = await scene.sandbox("uid1")
        await scene.instance(new, "uid1", 1, ends=False)
        scene.pod_changed("uid1")
        await asyncio.sleep(61)
        assert len(await scene.runtime.sandboxes()) == 2  # the dead instance is in it, and is the newest dead one
        await scene.runtime.end("main", 1)
        await scene.cache.look("uid1")
        scene.pod_changed("uid1")
        await asyncio.sleep(61)
        assert [each.id for each in await scene.runtime.sandboxes()] == [new]

    with_scene(tmp_path, check)


def test_links_of_running_containers_and_files_of_others_stay(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        running = await scene.instance(sandbox, "uid1", 0, ends=False)
        (scene.logs / "default_uid1_uid1/main/0.log").unlink()  # it is being rotated
        (scene.links / "somebodys.log").write_text("no link")
        (scene.links / "lost-0123.log").symlink_to("/nowhere")
        (scene.logs / "lost+found").mkdir()
        scene.gone.add("lost+found")
        await scene.gc.collect()
        names = sorted(path.name for path in scene.links.iterdir())
        assert names == ["somebodys.log", f"uid1_default_main-{running}.log"]
        assert (scene.logs / "lost+found").exists()

    with_scene(tmp_path, check)


def test_a_full_disk_also_takes_what_is_left_of_ended_pods(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0)
        await scene.runtime.stop_sandbox(sandbox)
        scene.ending.add("uid1")
        await scene.gc.collect()
        assert len(await scene.left()) == 1
        await scene.gc.collect(everything=True)
        assert await scene.left() == []
        assert await scene.runtime.sandboxes() == []

    with_scene(tmp_path, check)


def test_a_runtime_that_fails_is_reported_once_and_tried_again(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        sandbox = await scene.sandbox("uid1")
        await scene.instance(sandbox, "uid1", 0)
        await scene.runtime.stop_sandbox(sandbox)
        scene.gone.add("uid1")
        scene.runtime.down = Unavailable("away")
        scene.pod_changed("uid1")
        await asyncio.sleep(200)
        assert scene.events.seen == [("", "ContainerGCFailed", "away")]
        scene.runtime.down = None
        await asyncio.sleep(61)
        assert await scene.left() == []

    with_scene(tmp_path, check)


def test_a_log_elsewhere_is_left_alone(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        precious = tmp_path / "precious"
        precious.write_text("")
        config = container_config("main", "uid1")
        config.log_path = "../../precious"
        sandbox = await scene.sandbox("uid1")
        (scene.logs / "default_uid1_uid1").mkdir()
        made = await scene.runtime.create_container(sandbox, config, scene.config("uid1"))
        await scene.runtime.start_container(made)
        await scene.runtime.end("main", 0)
        scene.gone.add("uid1")
        await scene.gc.collect()
        assert await scene.left() == []
        assert precious.exists()

    with_scene(tmp_path, check)
