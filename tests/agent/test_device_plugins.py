"""Device plug-ins with `podwright agent` as a process: what the API shows, what containers on real runtimes get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.k8s.objects import Node, Pod
from tests.agent.api_pods import FOREVER, NODE, bind, is_ready, joined_agent, pod
from tests.agent.resources.devices.plugin import RESOURCE, ExamplePlugin, device
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer


@pytest.fixture
def agent(any_server: CriServer, scratch: Scratch, api: ApiServerThread, tmp_path: Path) -> Iterator[AgentProcess]:
    config = {"nodeStatusUpdateFrequency": "1s"}
    with joined_agent(scratch.part("agent"), any_server.endpoint, api, tmp_path, config) as process:
        yield process


@pytest_asyncio.fixture
async def plugin(agent: AgentProcess) -> AsyncIterator[ExamplePlugin]:
    folder = agent.root / "device-plugins"
    await until(agent, (folder / "kubelet.sock").exists, "plug-ins may register")
    async with ExamplePlugin(str(folder), [device("a"), device("b"), device("c")]) as plugin:
        plugin.has_cdi = False
        await plugin.register()
        yield plugin


def wants(image: str, count: int, script: str = FOREVER) -> str:
    amounts = f"{{{RESOURCE}: {count}}}"
    return f"""
containers:
- name: main
  image: {image}
  command: [sh, -c, '{script}']
  resources: {{requests: {amounts}, limits: {amounts}}}
"""


def shown(api: ApiServerThread) -> tuple[str | None, str | None]:
    """Capacity and allocatable of the node."""
    node: Node | None = api.get(Node, NODE)
    return (
        (None, None) if node is None else (node.status.capacity.get(RESOURCE), node.status.allocatable.get(RESOURCE))
    )


async def until(agent: AgentProcess, condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(agent.until, condition, what)


def found(api: ApiServerThread, name: str) -> Pod:
    known = pod(api, name)
    assert known is not None
    return known


async def test_a_pod_gets_devices_and_keeps_them_over_a_restart_of_both_sides(
    agent: AgentProcess, api: ApiServerThread, image: str, plugin: ExamplePlugin
) -> None:
    await until(agent, lambda: shown(api) == ("3", "3"), "the node has devices")
    check = f'test "$THINGS" = a,b && test -c /dev/a && test -d /things/b && {FOREVER}'
    bind(api, "holder", wants(image, 2, check))
    await until(agent, lambda: is_ready(api, "holder"), "the pod is ready")
    before = found(api, "holder").status.container_statuses[0]
    assert [(each.resource_id, each.health) for each in before.allocated_resources_status[0].resources] == [
        ("a", "Healthy"),
        ("b", "Healthy"),
    ]
    plugin.show(device("a", health="Unhealthy"), device("b"), device("c"))
    await until(agent, lambda: shown(api) == ("3", "2"), "a device is not to be had")
    await until(
        agent,
        lambda: (
            found(api, "holder").status.container_statuses[0].allocated_resources_status[0].resources[0].health
            == "Unhealthy"
        ),
        "the pod's status tells",
    )

    await asyncio.to_thread(agent.kill9)
    await plugin.stop()
    await asyncio.to_thread(agent.start)
    await until(agent, lambda: shown(api) == ("0", "0"), "the plug-in has to come again")
    async with ExamplePlugin(plugin.folder, [device("a"), device("b"), device("c")]) as again:
        again.has_cdi = False
        await again.register()
        await until(agent, lambda: shown(api) == ("3", "3"), "the devices are back")
        assert is_ready(api, "holder")
        assert found(api, "holder").status.container_statuses[0].container_id == before.container_id
        assert again.asked("allocate") == []
        bind(api, "small", wants(image, 1, f'test "$THINGS" = c && {FOREVER}'))
        await until(agent, lambda: is_ready(api, "small"), "another pod has the rest")


async def test_pods_that_cannot_have_devices_are_refused(
    agent: AgentProcess, api: ApiServerThread, image: str, plugin: ExamplePlugin
) -> None:
    await until(agent, lambda: shown(api) == ("3", "3"), "the node has devices")
    plugin.problems.add("allocate")
    bind(api, "refused", wants(image, 1))
    await until(
        agent, lambda: found(api, "refused").status.phase == "Failed", "the plug-in's refusal is the pod's end"
    )
    status = found(api, "refused").status
    assert status.reason == "UnexpectedAdmissionError"
    assert "allocate fails on purpose, which is unexpected" in (status.message or "")
    bind(api, "greedy", wants(image, 4))
    await until(agent, lambda: found(api, "greedy").status.phase == "Failed", "there are too few")
    assert "Requested: 4, Available: 3" in (found(api, "greedy").status.message or "")
