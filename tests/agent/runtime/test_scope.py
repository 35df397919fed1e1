"""A runtime that shows the pods of one run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from podwright.agent.runtime.client import RuntimeClient
from podwright.agent.runtime.records import RuntimeEvent
from podwright.agent.runtime.scope import OwnRuntime
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual


async def make_pod(runtime: FakeRuntime, name: str) -> None:
    labels = {
        "io.kubernetes.pod.name": name,
        "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": f"uid-{name}",
        "io.kubernetes.container.name": "c",
    }
    metadata = api.PodSandboxMetadata(name=name, namespace="default", uid=f"uid-{name}")
    config = api.PodSandboxConfig(metadata=metadata, labels=labels)
    sandbox_id = await runtime.run_sandbox(config, "")
    container = api.ContainerConfig(metadata=api.ContainerMetadata(name="c"), labels=labels)
    await runtime.create_container(sandbox_id, container, config)


def test_pods_of_others_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        fake = FakeRuntime(VirtualClock())

        async def events(self: RuntimeClient, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
            async for event in fake.events(begun):
                yield event

        monkeypatch.setattr(RuntimeClient, "sandboxes", lambda self: fake.sandboxes())
        monkeypatch.setattr(RuntimeClient, "containers", lambda self: fake.containers())
        monkeypatch.setattr(RuntimeClient, "events", events)
        async with CriClient("unix:///nowhere.sock") as cri:
            own = {"uid-own"}
            runtime = OwnRuntime(cri, own.__contains__)
            begun = asyncio.Event()
            seen: list[str] = []

            async def listen() -> None:
                async for event in runtime.events(begun):
                    seen.append(event.pod_uid)  # noqa: PERF401 # read while it grows

            task = asyncio.create_task(listen())
            await begun.wait()
            for name in ("own", "other"):
                await make_pod(fake, name)
            assert [each.pod_uid for each in await runtime.sandboxes()] == ["uid-own"]
            assert [each.pod_uid for each in await runtime.containers()] == ["uid-own"]
            fake.end_streams()
            await task
            assert set(seen) == {"uid-own"}
            own.add("uid-other")
            assert len(await runtime.sandboxes()) == 2

    run_virtual(run())
