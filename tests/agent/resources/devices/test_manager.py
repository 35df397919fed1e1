"""The device manager with real device plug-ins on real sockets: from registration to what a container is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
import pytest_asyncio

from podwright.agent.configs.devices import AllottedDevice, HostMount
from podwright.agent.metrics.devices import DeviceMetrics
from podwright.agent.plugins.protocol import DEVICE_PLUGIN, Plugin
from podwright.agent.resources.devices.manager import DevicePorts
from podwright.agent.resources.devices.setup import NodeDevices
from podwright.agent.resources.topology.hints import ANYWHERE, TopologyHint
from podwright.agent.resources.topology.masks import mask_of
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod
from tests.agent.plugins.plugin import until
from tests.agent.resources.devices.plugin import RESOURCE, ExamplePlugin, device

FILE = "kubelet_internal_checkpoint"


@dataclass
class Node:
    """A node with devices that can be restarted. `now` is its clock."""

    root: str
    now: float = 100.0
    is_settled: bool = True
    running: set[str] = field(default_factory=set)
    changed: list[Collection[str]] = field(default_factory=list)
    devices: NodeDevices | None = None

    async def start(self) -> NodeDevices:
        self.devices = NodeDevices(
            self.root,
            DevicePorts(
                clock=self,
                metrics=DeviceMetrics(),
                all_sources_read=lambda: self.is_settled,
                is_running=self._is_running,
                pods_changed=self.changed.append,
                nodes=(0, 1),
            ),
        )
        await self.devices.start()
        return self.devices

    async def stop(self) -> None:
        if self.devices is not None:
            await self.devices.close()
            self.devices = None

    async def _is_running(self, uid: str, name: str) -> bool:
        return name in self.running

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return int(self.now * 1e9)

    @property
    def folder(self) -> Path:
        return Path(self.root) / "device-plugins"

    def shown(self) -> tuple[int | None, int | None]:
        """Capacity and allocatable."""
        assert self.devices is not None
        counts = self.devices.manager.counts()
        return counts.capacity.get(RESOURCE), counts.allocatable.get(RESOURCE)

    async def allot(self, wanted: Pod, name: str = "main", affinity: TopologyHint = ANYWHERE) -> frozenset[str]:
        """Let a container have its devices: their ids."""
        assert self.devices is not None
        found = next(each for each in (*wanted.spec.init_containers, *wanted.spec.containers) if each.name == name)
        await self.devices.manager.allocate(wanted, found, affinity)
        held = self.devices.manager.allotted_devices(wanted.metadata.uid, name).get(RESOURCE)
        return held.ids if held is not None else frozenset()


def wants(name: str = "main", count: int = 1, **fields: Any) -> Container:
    amounts = {RESOURCE: str(count)}
    return container(name, resources=ResourceRequirements(limits=amounts, requests=amounts), **fields)


def pod_of(name: str, *containers: Container, **fields: Any) -> Pod:
    return pod(name, containers=containers or (wants(),), **fields)


@pytest.fixture
def root() -> Iterator[str]:
    with TemporaryDirectory(prefix="podwright-devices-") as name:  # a socket's path must be short
        yield name


@pytest_asyncio.fixture
async def node(root: str) -> AsyncIterator[Node]:
    node = Node(root)
    await node.start()
    yield node
    await node.stop()


@pytest_asyncio.fixture
async def plugin(node: Node) -> AsyncIterator[ExamplePlugin]:
    """One with three devices, which the node shows already."""
    async with ExamplePlugin(str(node.folder), [device("a"), device("b"), device("c")]) as plugin:
        await plugin.register()
        await until(lambda: node.shown() == (3, 3))
        yield plugin


# -- registration


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"version": "v1alpha1"}, "API version 'v1alpha1' is not supported"),
        ({"endpoint": "../outside.sock"}, "is not the name of a socket"),
        ({"endpoint": "/etc/passwd"}, "is not the name of a socket"),
    ],
)
async def test_registrations_that_are_refused(node: Node, fields: dict[str, str], message: str) -> None:
    async with ExamplePlugin(str(node.folder), []) as plugin:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await plugin.register(**fields)
        assert message in (caught.value.details() or "")
        assert plugin.calls == []
        plugin.resource = "kubernetes.io/gpu"
        with pytest.raises(grpc.aio.AioRpcError, match="is invalid"):
            await plugin.register()


async def test_a_plugin_whose_options_fail_is_not_used(node: Node) -> None:
    async with ExamplePlugin(str(node.folder), [device("a")]) as plugin:
        plugin.problems.add("options")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await plugin.register()
        assert "failed to get device plugin options: options fails on purpose" in (caught.value.details() or "")
        assert [name for name, _ in plugin.calls] == ["options"]
    assert node.shown() == (None, None)


async def test_a_plugin_whose_list_fails_at_once_is_not_asked_again(node: Node) -> None:
    async with ExamplePlugin(str(node.folder), [device("a")]) as plugin:
        plugin.problems.add("list")
        await plugin.register()
        await until(lambda: node.shown() == (0, 0))
        assert [name for name, _ in plugin.calls] == ["options", "list"]


async def test_the_watcher_registers_plugins_too(node: Node) -> None:
    assert node.devices is not None
    handler = node.devices.registration
    async with ExamplePlugin(str(node.folder), [device("a")]) as plugin:
        path = f"{plugin.folder}/{plugin.name}"
        given = Plugin(kind=DEVICE_PLUGIN, name=RESOURCE, endpoint=path, versions=("v1beta1",))
        handler.validate(given)
        await handler.register(given)
        await until(lambda: node.shown() == (1, 1))
        await handler.deregister(given)
        assert node.shown() == (1, 0)
        await handler.deregister(given)
    with pytest.raises(InvalidArgument):
        handler.validate(Plugin(kind=DEVICE_PLUGIN, name=RESOURCE, endpoint=path, versions=("v1",)))
    with pytest.raises(InvalidArgument):
        handler.validate(Plugin(kind=DEVICE_PLUGIN, name="gpu", endpoint=path, versions=("v1beta1",)))


# -- what the node shows


async def test_health_changes_what_can_be_had(node: Node, plugin: ExamplePlugin) -> None:
    plugin.show(device("a"), device("b", health="Unhealthy"), device("c"))
    await until(lambda: node.shown() == (3, 2))
    plugin.show(device("a"))
    await until(lambda: node.shown() == (1, 1))


async def test_a_plugin_that_goes_and_stays_away(node: Node, plugin: ExamplePlugin) -> None:
    plugin.end_list()
    await until(lambda: node.shown() == (3, 0))
    node.now += 301
    assert node.shown() == (0, 0)


async def test_a_plugin_that_dies_and_comes_again(node: Node, plugin: ExamplePlugin) -> None:
    await plugin.stop()
    await until(lambda: node.shown() == (3, 0))
    async with ExamplePlugin(str(node.folder), [device("a"), device("z")]) as again:
        await again.register()
        await until(lambda: node.shown() == (2, 2))


async def test_a_second_registration_takes_the_place_of_the_first(node: Node, plugin: ExamplePlugin) -> None:
    async with ExamplePlugin(str(node.folder), [device("x")]) as other:
        await other.stop()
    other = ExamplePlugin(str(node.folder), [device("x")])
    other.name = "other.sock"
    async with other:
        await other.register()
        await until(lambda: node.shown() == (1, 1))
        await plugin.stop()  # its end is not the other one's
        assert await node.allot(pod_of("p")) == {"x"}


# -- what containers get


async def test_a_container_gets_what_the_plugin_answers(node: Node, plugin: ExamplePlugin) -> None:
    wanted = pod_of("p", wants(count=2))
    assert await node.allot(wanted) == {"a", "b"}
    (request,) = plugin.asked("allocate")
    assert [list(each.devices_ids) for each in request.container_requests] == [["a", "b"]]
    assert node.devices is not None
    found = await node.devices.manager.allotted(wanted, wanted.spec.containers[0])
    assert found.environment == {"THINGS": "a,b"}
    assert found.mounts[0] == HostMount(host_path="/tmp", container_path="/things/a", read_only=True)
    assert found.devices[1] == AllottedDevice(host_path="/dev/null", container_path="/dev/b", permissions="rw")
    assert found.annotations == {"example.com/things": "a,b"}
    assert found.cdi_devices == ("example.com/thing=a", "example.com/thing=b")
    assert not plugin.asked("pre-start")
    assert await node.allot(wanted) == {"a", "b"}  # again, without asking
    assert len(plugin.asked("allocate")) == 1


async def test_who_wants_nothing_gets_nothing(node: Node, plugin: ExamplePlugin) -> None:
    assert await node.allot(pod_of("p", container())) == frozenset()
    assert await node.allot(pod_of("q", wants(count=0))) == frozenset()
    assert plugin.asked("allocate") == []


async def test_devices_are_free_again_when_their_pod_is_gone(node: Node, plugin: ExamplePlugin) -> None:
    assert node.devices is not None
    await node.allot(pod_of("p", wants(count=2)))
    with pytest.raises(FailedPrecondition, match="Requested: 2, Available: 1"):
        await node.allot(pod_of("q", wants(count=2)))
    assert list(node.devices.manager.holders()) == ["uid-p"]
    node.devices.manager.release("uid-p")
    node.devices.manager.release("uid-p")
    assert await node.allot(pod_of("q", wants(count=2))) == {"a", "b"}


async def test_init_containers_leave_their_devices_and_sidecars_keep_them(node: Node, plugin: ExamplePlugin) -> None:
    wanted = pod_of(
        "p",
        wants("main", 2),
        init_containers=(wants("first", 1), wants("sidecar", 1, restart_policy="Always"), wants("last", 2)),
    )
    assert await node.allot(wanted, "first") == {"a"}
    assert await node.allot(wanted, "sidecar") == {"a"}
    assert await node.allot(wanted, "last") == {"b", "c"}
    assert await node.allot(wanted, "main") == {"b", "c"}


async def test_preferences_and_pre_start(node: Node, plugin: ExamplePlugin) -> None:
    await plugin.stop()
    async with ExamplePlugin(str(node.folder), [device("a"), device("b"), device("c")]) as again:
        again.options.pre_start_required = again.options.get_preferred_allocation_available = True
        again.prefers = ["c"]
        await again.register()
        await until(lambda: node.shown() == (3, 3))
        wanted = pod_of("p")
        assert await node.allot(wanted) == {"c"}
        (request,) = again.asked("preferred")
        assert request.container_requests[0].allocation_size == 1
        assert node.devices is not None
        await node.devices.manager.allotted(wanted, wanted.spec.containers[0])
        assert [list(each.devices_ids) for each in again.asked("pre-start")] == [["c"]]
        again.problems.add("pre-start")
        with pytest.raises(FailedPrecondition, match="PreStartContainer rpc failed"):
            await node.devices.manager.allotted(wanted, wanted.spec.containers[0])
        again.problems.add("preferred")
        with pytest.raises(FailedPrecondition, match="GetPreferredAllocation rpc failed"):
            await node.allot(pod_of("q"))


async def test_a_plugin_that_refuses_leaves_the_devices_free(node: Node, plugin: ExamplePlugin) -> None:
    plugin.problems.add("allocate")
    with pytest.raises(PodwrightError, match="allocate fails on purpose"):
        await node.allot(pod_of("p", wants(count=3)))
    plugin.problems.clear()
    assert await node.allot(pod_of("q", wants(count=3))) == {"a", "b", "c"}


async def test_devices_on_the_nodes_that_the_topology_manager_chose(node: Node, plugin: ExamplePlugin) -> None:
    plugin.show(device("a", 0), device("b", 1), device("c", 0, 1))
    assert node.devices is not None
    manager = node.devices.manager
    await until(lambda: manager.allocatable()[RESOURCE][0].nodes)
    wanted = pod_of("p")
    hints = manager.hints(wanted, wanted.spec.containers[0])[RESOURCE]
    assert hints is not None
    assert [(hint.nodes, hint.preferred) for hint in hints] == [(1, True), (2, True), (3, False)]
    assert await node.allot(wanted, affinity=TopologyHint(nodes=mask_of([1]), preferred=True)) == {"b"}
    held = manager.hints(wanted, wanted.spec.containers[0])[RESOURCE] or ()
    assert [(hint.nodes, hint.preferred) for hint in held] == [(2, True), (3, False)]
    assert manager.pod_hints(wanted)[RESOURCE]


async def test_unhealthy_devices_are_not_given(node: Node, plugin: ExamplePlugin) -> None:
    wanted = pod_of("p")
    await node.allot(wanted)
    plugin.show(device("a", health="Unhealthy"), device("b"))
    await until(lambda: node.shown() == (2, 1))
    with pytest.raises(FailedPrecondition, match="previously allocated devices are no longer healthy"):
        await node.allot(wanted)
    plugin.show(device("a", health="Unhealthy"))
    await until(lambda: node.shown() == (1, 0))
    with pytest.raises(FailedPrecondition, match="no healthy devices present"):
        await node.allot(pod_of("q"))


async def test_health_of_what_pods_have(node: Node, plugin: ExamplePlugin) -> None:
    assert node.devices is not None
    await node.allot(pod_of("p", wants(count=2)))
    assert node.devices.manager.health("uid-p", "main") == {RESOURCE: {"a": True, "b": True}}
    plugin.show(device("a"), device("b", health="Gone"), device("c", health="Gone"))
    await until(lambda: node.changed == [{"uid-p"}])
    assert node.devices.manager.health("uid-p", "main") == {RESOURCE: {"a": True, "b": False}}
    assert node.devices.manager.health("uid-q", "main") == {}


# -- restarts


async def test_a_restarted_agent_knows_what_it_has_given(node: Node, plugin: ExamplePlugin) -> None:
    wanted = pod_of("p", wants(count=2))
    await node.allot(wanted)
    await node.stop()
    devices = await node.start()
    assert not (node.folder / plugin.name).exists()  # which tells the plug-in to come again
    assert node.shown() == (0, 0)
    assert devices.manager.taken_counts("uid-p") == {RESOURCE: 2}
    found = await devices.manager.allotted(wanted, wanted.spec.containers[0])
    assert found.environment == {"THINGS": "a,b"}
    await plugin.stop()
    async with ExamplePlugin(str(node.folder), [device("a"), device("b"), device("c")]) as again:
        await again.register()
        await until(lambda: node.shown() == (3, 3))
        assert await node.allot(pod_of("q")) == {"c"}
        assert await node.allot(wanted) == {"a", "b"}


async def test_what_runs_while_the_agent_starts_is_let_in_without_its_plugin(
    node: Node, plugin: ExamplePlugin
) -> None:
    wanted = pod_of("p")
    await node.allot(wanted)
    await node.stop()
    node.is_settled = False
    await node.start()
    with pytest.raises(FailedPrecondition, match="no healthy devices present"):
        await node.allot(wanted)
    node.running = {"main"}
    assert await node.allot(wanted) == {"a"}


async def test_a_changed_request_is_refused(node: Node, plugin: ExamplePlugin) -> None:
    await node.allot(pod_of("p"))
    with pytest.raises(FailedPrecondition, match=r"changed request for resource .* from 1 to 2"):
        await node.allot(pod_of("p", wants(count=2)))


async def test_a_damaged_file_is_as_good_as_none(node: Node, plugin: ExamplePlugin) -> None:
    await node.allot(pod_of("p"))
    await node.stop()
    path = node.folder / FILE
    document = json.loads(path.read_text())
    assert document["Data"]["RegisteredDevices"] == {RESOURCE: ["a", "b", "c"]}
    path.write_text(json.dumps({**document, "Checksum": 1}))
    devices = await node.start()
    assert list(devices.manager.holders()) == []


async def test_containers_that_were_let_in_without_their_devices_get_them_when_they_start(
    node: Node, plugin: ExamplePlugin
) -> None:
    assert node.devices is not None
    wanted = pod_of("p")
    found = await node.devices.manager.allotted(wanted, wanted.spec.containers[0])
    assert found.environment == {"THINGS": "a"}


async def test_two_at_once_do_not_get_the_same(node: Node, plugin: ExamplePlugin) -> None:
    first, second = await asyncio.gather(node.allot(pod_of("p")), node.allot(pod_of("q")))
    assert not first & second


async def test_many_plugins_at_once(node: Node) -> None:
    async with AsyncExitStack() as stack:
        for index in range(5):
            plugin = ExamplePlugin(str(node.folder), [device("a")], resource=f"example.com/thing{index}")
            await stack.enter_async_context(plugin)
            await plugin.register()
        assert node.devices is not None
        manager = node.devices.manager
        await until(lambda: sum(manager.counts().capacity.values()) == 5)
