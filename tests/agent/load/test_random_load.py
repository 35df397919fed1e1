"""Random load on a real runtime and a real agent: the node stays ready, and nobody who keeps to the rules is touched.

A few seconds in the suite; `make load` goes on for an hour. PODWRIGHT_LOAD_S sets the time, PODWRIGHT_LOAD_SEED the
order: it is printed when something is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.k8s.objects import Pod
from tests.agent.load.node import MAX_PODS, RUNNING, LoadedNode, loaded_node
from tests.agent.load.pods import draw
from tests.agent.resources.devices.plugin import ExamplePlugin, device
from tests.fixtures import FreshPodwright
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.scratch import Scratch

log = logging.getLogger(__name__)

LOAD_S = float(os.environ.get("PODWRIGHT_LOAD_S", "20"))
SEED = int(os.environ.get("PODWRIGHT_LOAD_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
PODS_AT_ONCE = 16
STEP_S = 0.25
END_S = 180.0
GROWTH_BYTES, GROWTH_SHARE = 8 << 20, 0.1  # of the agent's memory, from the second fifth of the time to the last one
TOUCHED = "a guaranteed pod was touched"

pytestmark = [pytest.mark.root, pytest.mark.timeout(LOAD_S + 2 * END_S)]


@pytest.fixture
def node(
    fresh_podwright: FreshPodwright, scratch: Scratch, api: ApiServerThread, tmp_path: Path
) -> Iterator[LoadedNode]:
    with loaded_node(scratch, fresh_podwright(), api, tmp_path) as node:
        yield node


@pytest_asyncio.fixture
async def plugins(node: LoadedNode) -> AsyncIterator[DyingPlugin]:
    plugin = DyingPlugin(str(node.agent.root / "device-plugins"))
    await asyncio.to_thread(node.agent.until, node.is_ready, "the node is ready")
    await plugin.live()
    yield plugin
    await plugin.die()


class DyingPlugin:
    """A device plug-in that dies, and comes back as another process would."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._plugin: ExamplePlugin | None = None
        self.deaths = 0

    async def live(self) -> None:
        self._plugin = ExamplePlugin(self._folder, [device(name) for name in "abc"])
        self._plugin.has_cdi = False
        await self._plugin.__aenter__()
        await self._plugin.register()

    async def die(self) -> None:
        if self._plugin is not None:
            await self._plugin.stop()
            self._plugin, self.deaths = None, self.deaths + 1


class Load:
    """One run of it."""

    def __init__(self, node: LoadedNode, image: str, plugins: DyingPlugin) -> None:
        self.node = node
        self.count: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.memory: list[int] = []
        self.faults: list[str] = []
        self._image = image
        self._plugins = plugins
        self._chance = random.Random(SEED)
        self._guaranteed: dict[str, str] = {}  # container ids by the pods' names, once they run

    async def run(self, seconds: float) -> None:
        """Throw pods at the node, and take them away."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.faults:
            await self._step()
            await asyncio.sleep(STEP_S)

    async def _step(self) -> None:
        names = await asyncio.to_thread(self.node.names)
        if len(names) < PODS_AT_ONCE and self._chance.random() < 0.7:
            await asyncio.to_thread(self._add)
        elif names:
            name = self._chance.choice(names)
            found = await asyncio.to_thread(self.node.find, name)
            if found is not None and found.metadata.deletion_timestamp is None:
                await asyncio.to_thread(self._look, name, found)
                self._guaranteed.pop(name, None)
                self.ends[found.status.reason or found.status.phase] += 1
                await asyncio.to_thread(self.node.remove, name, self._chance.choice([0, 1, None]))
        if self._chance.random() < 0.02:
            await self._plugins.die()
            await self._plugins.live()
        await asyncio.to_thread(self._look_around)

    def _add(self) -> None:
        wanted = draw(self._chance, self._image)
        self.count[wanted.kind] += 1
        name = f"{wanted.kind.replace(' ', '-')}-{sum(self.count.values())}"
        if wanted.is_guaranteed:
            self._guaranteed[name] = ""
        self.node.add(name, wanted)

    def _look_around(self) -> None:
        """The node is ready, and no guaranteed pod was touched."""
        self.memory.append(self.node.resident_bytes())
        if not self.node.is_ready():
            self.faults.append("the node is not ready")
        for name in list(self._guaranteed):
            found = self.node.find(name)
            if found is None:
                self.faults.append(f"{TOUCHED}: {name} is gone")
            else:
                self._look(name, found)

    def _look(self, name: str, found: Pod) -> None:
        """One that was refused, or that had to go for a critical one, has met the rules; nothing else has."""
        if name not in self._guaranteed:
            return
        status = found.status
        if status.reason == "Preempting" or status.message.startswith("Pod was rejected"):
            del self._guaranteed[name]
            return
        if status.phase not in ("", "Pending", RUNNING):
            self.faults.append(f"{TOUCHED}: {name} {status.phase} {status.reason} {status.message}")
        for each in status.container_statuses:
            known = self._guaranteed[name]
            if (each.container_id and known and each.container_id != known) or each.restart_count:
                self.faults.append(f"{TOUCHED}: {name} has another container")
            self._guaranteed[name] = each.container_id

    async def end(self) -> None:
        """Have all pods end, and the node come to rest."""
        for name in await asyncio.to_thread(self.node.names):
            await asyncio.to_thread(self.node.remove, name, 0)
        for condition, what in (
            (lambda: not self.node.names(), "the pods are gone"),
            (lambda: not self.node.leftovers(), "nothing is left of them"),
            (lambda: self.node.is_ready() and not self.node.pressures(), "the node is ready and at ease"),
        ):
            await self._until(condition, what)

    async def _until(self, condition: Callable[[], object], what: str) -> None:
        try:
            await asyncio.to_thread(self.node.agent.until, condition, what, END_S)
        except AssertionError as failure:
            raise AssertionError(f"{what}: {self.node.leftovers()[:10]} {self.node.pressures()}") from failure

    def growth(self) -> tuple[float, float]:
        """The agent's memory in the second fifth of the time, and in the last one."""
        fifth = max(len(self.memory) // 5, 1)
        return statistics.median(self.memory[fifth : 2 * fifth] or self.memory), statistics.median(
            self.memory[-fifth:]
        )


async def test_a_node_under_random_load(node: LoadedNode, image: str, plugins: DyingPlugin) -> None:
    load = Load(node, image, plugins)
    descriptors = node.descriptors()
    await load.run(LOAD_S)
    assert load.faults == [], f"seed {SEED}"
    await load.end()
    before, after = load.growth()
    metrics = node.agent.get("/metrics").decode()
    evictions = [line for line in metrics.splitlines() if line.startswith(("kubelet_evictions{", "kubelet_preempt"))]
    log.warning(
        "load: seed=%d seconds=%g pods=%s ends=%s plug-in deaths=%d memory_mib=%.1f..%.1f cpu_s=%.1f %s",
        SEED,
        LOAD_S,
        dict(load.count),
        dict(load.ends),
        plugins.deaths,
        before / 2**20,
        after / 2**20,
        node.cpu_s(),
        "; ".join(evictions),
    )
    assert after - before <= GROWTH_BYTES + before * GROWTH_SHARE, f"seed {SEED}: the agent's memory has grown"
    assert node.descriptors() <= descriptors + 10, f"seed {SEED}: the agent has left files open"
    assert sum(load.count.values()) > LOAD_S / 10
    assert MAX_PODS > PODS_AT_ONCE
