"""Whatever happens to pods, objects, the disk and the agent: in the end there is what the last of them say."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import looptime
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from podwright.agent.volumes.manager import VolumeManager
from podwright.k8s.objects import ConfigMapVolumeSource, EmptyDirVolumeSource, Pod, Volume
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.time import VirtualClock
from tests.agent.volumes.build import InlineWork, MemoryObjects, config_map, pod_with, ports

NAMES = st.sampled_from(["a", "b"])
CONTENTS = st.dictionaries(st.sampled_from(["x", "y", "d"]), st.sampled_from(["1", "2"]), min_size=1, max_size=2)
PODS = st.sampled_from(["p", "q"])
SELDOM = st.integers(0, 5).map(lambda number: number == 0)
LONG_S = 400.0  # longer than two of the longest pauses


def a_pod(name: str, config_maps: list[str]) -> Pod:
    volumes = [Volume(name=each, config_map=ConfigMapVolumeSource(name=each)) for each in config_maps]
    return pod_with(*volumes, Volume(name="disk", empty_dir=EmptyDirVolumeSource()), name=name)


class Volumes(RuleBasedStateMachine):
    """Pods by UID as they are set, and ConfigMaps by name as they are."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.loop = looptime.new_event_loop()
        self.objects = MemoryObjects()
        self.pods: dict[str, Pod] = {}
        self.is_broken = False
        self.new_agent()

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)

    def new_agent(self) -> None:
        self.work = InlineWork()
        self.work.before = self.disk
        self.manager = VolumeManager(ports(self.objects, RecordedEvents(), VirtualClock()), str(self.root), self.work)

    def disk(self, key: str) -> None:
        if self.is_broken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @rule(name=PODS, config_maps=st.lists(NAMES, unique=True, max_size=2))
    def set_pod(self, name: str, config_maps: list[str]) -> None:
        known = self.pods.get(f"uid-{name}")
        subject = a_pod(name, config_maps) if known is None else known  # the volumes of a pod never change
        self.pods[subject.metadata.uid] = subject

        async def work() -> None:
            self.manager.set_pod(subject)
            await self.later(0.2)

        self.run(work())

    @rule(name=PODS)
    def release(self, name: str) -> None:
        subject = self.pods.get(f"uid-{name}")
        if subject is not None and not self.is_broken:
            del self.pods[subject.metadata.uid]
            self.run(self.manager.release(subject))

    @rule(name=NAMES, content=st.none() | CONTENTS)
    def change_object(self, name: str, content: dict[str, str] | None) -> None:
        self.objects.config_maps.pop(name, None)
        if content is not None:
            self.objects.put(config_map(name, content))
        self.run(self.later(0.2))

    @rule(is_broken=SELDOM)
    def break_or_mend_the_disk(self, is_broken: bool) -> None:
        self.is_broken = is_broken

    @rule(seconds=st.sampled_from([0.1, 1.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.later(seconds))

    @rule(forget=SELDOM)
    def restart(self, forget: bool) -> None:
        """`forget`: the pods are deleted while the agent is down."""
        self.run(self.manager.close())
        self.new_agent()
        if forget:
            self.pods.clear()

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        self.is_broken = False
        try:
            self.run(self.finish())
            self.check()
        finally:
            self.run(self.manager.close())
            self.loop.close()
            shutil.rmtree(self.root)

    async def finish(self) -> None:
        """What a loop of the agent does in the end: all pods are set, all others are gone."""
        for subject in self.pods.values():
            self.manager.set_pod(subject)
        await self.later(LONG_S)
        await self.manager.retain(set(self.pods))

    def check(self) -> None:
        pods = self.root / "pods"
        assert set(os.listdir(pods) if pods.exists() else ()) == set(self.pods)
        for uid, subject in self.pods.items():
            wanted = {volume.name for volume in subject.spec.volumes if self.is_possible(volume)}
            assert wanted <= set(self.manager.mounted(uid))
            for name in wanted - {"disk"}:
                volume = Path(self.manager.mounted(uid)[name].path)
                seen = {key: (volume / key).read_text() for key in os.listdir(volume) if not key.startswith("..")}
                assert seen == self.objects.config_maps[name].data
                assert len([entry for entry in os.listdir(volume) if entry.startswith("..")]) == 2

    def is_possible(self, volume: Volume) -> bool:
        return volume.config_map is None or volume.config_map.name in self.objects.config_maps


Volumes.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestVolumes = Volumes.TestCase
