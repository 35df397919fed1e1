"""The device manager: allots devices to containers, and keeps the allotments over a restart.

The rules, reasons and messages are those of the kubelet's device manager (pkg/kubelet/cm/devicemanager of Kubernetes
1.36). Allotments are saved before the container starts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.configs.devices import NOTHING, Allocation
from podwright.agent.metrics.devices import DeviceMetrics
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.resources import pod_limits
from podwright.agent.resources import state_files
from podwright.agent.resources.devices import checkpoint
from podwright.agent.resources.devices.allotments import NO_NODE, Allotment, Allotments
from podwright.agent.resources.devices.answers import allocation_of
from podwright.agent.resources.devices.choice import WantedDevices, choose
from podwright.agent.resources.devices.connected import ConnectedPlugins
from podwright.agent.resources.devices.inventory import DeviceCounts, Inventory, PluginDevice
from podwright.agent.resources.devices.plugin import DevicePlugin
from podwright.agent.resources.devices.topology import device_hints
from podwright.agent.resources.topology.hints import ANYWHERE, Hints, TopologyHint
from podwright.agent.resources.topology.masks import NodeMask
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.objects import Container, Pod
from podwright.k8s.quantity import whole

log = logging.getLogger(__name__)


class DevicePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager needs of other rooms."""

    clock: Clock
    metrics: DeviceMetrics
    all_sources_read: Callable[[], bool]
    is_running: Callable[[str, str], Awaitable[bool]]  # whether a pod's container runs, by UID and name
    pods_changed: Callable[[Collection[str]], None]  # called when the health of devices of these pods has changed
    nodes: Sequence[int]  # the machine's NUMA nodes


class DeviceManager:
    """A `topology.hints.HintProvider`."""

    def __init__(self, folder: str, ports: DevicePorts) -> None:
        """`folder` has the plug-ins' sockets and the checkpoint."""
        self._path = f"{folder}/{checkpoint.FILE_NAME}"
        self._ports = ports
        self._inventory = Inventory()
        self._allotments = Allotments()
        self._turn = asyncio.Lock()  # one choice at a time, so that two do not take the same devices
        self.plugins = ConnectedPlugins(self)

    def recover(self) -> None:
        """Take over the allotments of an earlier agent or kubelet.

        An invalid file is only logged: running containers then keep their devices, which may be allotted to others,
        too.
        """
        try:
            content = state_files.read_state(self._path)
            if content is None:
                return
            found = checkpoint.decode(content)
        except (FailedPrecondition, InvalidArgument) as failure:
            log.warning("allotted devices are forgotten: file=%s error=%s", self._path, failure)
            return
        for each in found.holdings:
            self._allotments.put(each.uid, each.container, each.resource, each.allotment)
        for resource in found.registered:
            self._inventory.expect(resource, self._ports.clock.monotonic())

    # -- `connected.PluginListener`

    def connected(self, resource: str) -> None:
        self._inventory.connect(resource)

    def listed(self, resource: str, devices: Iterable[PluginDevice]) -> None:
        changed = self._inventory.update(resource, devices)
        self._save()
        if uids := self._allotments.pods_with(resource, changed):
            self._ports.pods_changed(uids)

    def disconnected(self, resource: str) -> None:
        self._inventory.disconnect(resource, self._ports.clock.monotonic())

    # -- for other rooms

    def counts(self) -> DeviceCounts:
        """The node's numbers of devices, by resource."""
        return self._inventory.counts(self._ports.clock.monotonic())

    def taken_counts(self, uid: str) -> Mapping[str, int]:
        """The numbers of allotted devices by resource, if this pod has any.

        So a pod that has its devices is admitted even if they have become unhealthy since.
        """
        if uid not in self._allotments.holders():
            return {}
        resources = {each.resource for each in self._allotments.holdings()}
        return {resource: len(self._allotments.taken(resource)) for resource in resources}

    def allotted_devices(self, uid: str, container: str) -> Mapping[str, Allotment]:
        """The allotments of a container, by resource."""
        return self._allotments.of(uid, container)

    def health(self, uid: str, container: str) -> dict[str, dict[str, bool]]:
        """Whether each device of the container is healthy, by resource and device.

        True unless its plug-in says otherwise.
        """
        return {
            resource: {
                device: (known := self._inventory.device(resource, device)) is None or known.is_healthy
                for device in sorted(allotment.ids)
            }
            for resource, allotment in sorted(self._allotments.of(uid, container).items())
        }

    def allocatable(self) -> dict[str, list[PluginDevice]]:
        """The devices that pods have or can get, by resource."""
        return {
            resource: [self._inventory.devices(resource)[device] for device in ids]
            for resource, ids in self._inventory.registered().items()
        }

    # -- HintProvider

    def hints(self, pod: Pod, container: Container) -> Hints:
        uid = pod.metadata.uid
        held = {resource: each.ids for resource, each in self._allotments.of(uid, container.name).items()}
        requests = self._of_container(pod, container)
        return {
            resource: self._hints(resource, count, held.get(resource), self._reusable(pod, container, resource))
            for resource, count in requests.items()
        }

    def pod_hints(self, pod: Pod) -> Hints:
        limits = {name: str(amount) for name, amount in pod_limits(pod.spec, overhead=False).items()}
        held: dict[str, frozenset[str]] = {}
        for container in (*pod.spec.init_containers, *pod.spec.containers):
            for resource, each in self._allotments.of(pod.metadata.uid, container.name).items():
                held[resource] = held.get(resource, frozenset()) | each.ids
        return {
            resource: self._hints(resource, count, held.get(resource), frozenset())
            for resource, count in self._requests(limits).items()
        }

    async def allocate(self, pod: Pod, container: Container, affinity: TopologyHint) -> None:
        async with self._turn:
            for resource, count in self._of_container(pod, container).items():
                if await self._needs_devices(pod, container, resource, count):
                    await self._allot(pod, container, resource, count, affinity.nodes)

    async def allocate_pod(self, pod: Pod, affinity: TopologyHint) -> None:
        """See HintProvider. There are no pod-level devices, so each container gets its own."""
        for container in (*pod.spec.init_containers, *pod.spec.containers):
            await self.allocate(pod, container, affinity)

    async def allotted(self, pod: Pod, container: AnyContainer) -> Allocation:
        """See HintProvider. Calls PreStartContainer of plug-ins that want it."""
        if not isinstance(container, Container):
            return NOTHING
        uid = pod.metadata.uid
        requests = {name: count for name, count in self._of_container(pod, container).items() if count}
        if requests.keys() - self._allotments.of(uid, container.name).keys():
            await self.allocate(pod, container, ANYWHERE)  # for a pod that was admitted while its plug-in was unknown
        for resource in requests:
            plugin = self.plugins.of(resource)
            if plugin is not None and plugin.wants_pre_start:
                await self._pre_start(plugin, uid, container.name)
        return allocation_of(each.answer for _, each in sorted(self._allotments.of(uid, container.name).items()))

    def holders(self) -> Collection[str]:
        return self._allotments.holders()

    def release(self, uid: str) -> None:
        if self._allotments.release(uid):
            self._save()

    # -- how

    def _of_container(self, pod: Pod, container: Container) -> dict[str, int]:
        """The device requests of a container, except those for which the scheduler has made a claim."""
        extended = pod.status.extended_resource_claim_status
        mappings = extended.request_mappings if extended is not None else ()
        claimed = {each.resource_name for each in mappings if each.container_name == container.name}
        requests = self._requests(container.resources.limits)
        return {name: count for name, count in requests.items() if name not in claimed}

    def _requests(self, limits: Mapping[str, str]) -> dict[str, int]:
        """The numbers of requested devices, by resource. Requests equal limits, because devices are not shared."""
        return {name: whole(text) for name, text in limits.items() if self._is_device(name)}

    def _is_device(self, resource: str) -> bool:
        return self._inventory.is_known(resource) or self._allotments.has_taken(resource)

    def _free(self, resource: str) -> frozenset[str]:
        return frozenset(self._inventory.healthy(resource)) - self._allotments.taken(resource)

    def _reusable(self, pod: Pod, container: Container, resource: str) -> frozenset[str]:
        """The devices of init containers that end before this one starts, unless another container still has them."""
        left: frozenset[str] = frozenset()
        lasting: frozenset[str] = frozenset()
        for each in (*pod.spec.init_containers, *pod.spec.containers):
            if each.name == container.name:
                break
            held = self._allotments.of(pod.metadata.uid, each.name).get(resource)
            if held is None:
                continue
            if each in pod.spec.init_containers and not is_sidecar(each):
                left |= held.ids
            else:
                lasting |= held.ids
        return left - lasting

    def _hints(
        self, resource: str, count: int, held: frozenset[str] | None, reusable: frozenset[str]
    ) -> list[TopologyHint] | None:
        devices, free = self._inventory.devices(resource), self._free(resource)
        if held:
            if len(held) != count:
                return []
            free, reusable = held, frozenset()
        return device_hints(devices, free, reusable, count, self._ports.nodes)

    async def _needs_devices(self, pod: Pod, container: Container, resource: str, count: int) -> bool:
        """Whether the container still needs devices. Raises FailedPrecondition if it cannot get any."""
        uid, name = pod.metadata.uid, container.name
        held = self._allotments.of(uid, name).get(resource)
        ids = held.ids if held is not None else frozenset()
        if held is not None and len(ids) != count:
            raise FailedPrecondition(
                f'pod "{uid}" container "{name}" changed request for resource "{resource}" from {len(ids)} to {count}'
            )
        # After a restart of the agent, running containers have their devices even if the plug-in is not back yet.
        if not self._ports.all_sources_read() and await self._ports.is_running(uid, name):
            return False
        healthy = self._inventory.healthy(resource)
        if not self._inventory.is_known(resource):
            raise FailedPrecondition(f"cannot allocate unregistered device {resource}")
        if not healthy:
            raise FailedPrecondition(
                f"no healthy devices present; cannot allocate unhealthy devices {resource}",
                hint="look at the resource's device plug-in",
            )
        if not ids <= healthy:
            raise FailedPrecondition(
                f"previously allocated devices are no longer healthy; cannot allocate unhealthy devices {resource}"
            )
        return count > len(ids)

    async def _allot(self, pod: Pod, container: Container, resource: str, count: int, nodes: NodeMask | None) -> None:
        plugin = self.plugins.of(resource)
        if plugin is None:
            raise FailedPrecondition(f"unknown Device Plugin {resource}")
        begun = self._ports.clock.monotonic()
        wanted = WantedDevices(
            resource=resource,
            count=count,
            devices=self._inventory.devices(resource),
            free=self._free(resource),
            reusable=self._reusable(pod, container, resource),
            nodes=nodes,
        )
        ids = await choose(wanted, plugin.preferred)
        answer = await plugin.allocate(ids)
        self._ports.metrics.allocations.observe(self._ports.clock.monotonic() - begun, resource)
        allotment = Allotment(devices=_by_node(ids, wanted.devices), answer=answer)
        self._allotments.put(pod.metadata.uid, container.name, resource, allotment)
        self._save()

    async def _pre_start(self, plugin: DevicePlugin, uid: str, container: str) -> None:
        held = self._allotments.of(uid, container).get(plugin.resource)
        if held is None:
            raise FailedPrecondition(
                f"no devices found allocated in local cache for pod {uid}, container {container}, "
                f"resource {plugin.resource}"
            )
        await plugin.pre_start(held.ids)

    def _save(self) -> None:
        """Save the allotments.

        A failure is logged: pods get their devices anyway, and the next agent does not know all of them.
        """
        try:
            data = checkpoint.encode(self._allotments.holdings(), self._inventory.registered())
            state_files.write_state(self._path, data)
        except OSError as failure:
            log.warning("allotted devices cannot be saved: file=%s error=%s", self._path, failure)


def _by_node(ids: Iterable[str], devices: Mapping[str, PluginDevice]) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for device in sorted(ids):
        for node in devices[device].nodes or (NO_NODE,):
            found.setdefault(node, []).append(device)
    return {node: tuple(each) for node, each in sorted(found.items())}
