"""Gives running containers, and their pod's cgroup, the CPU and memory that the pod was allocated.

`decisions.resizing` says what to do. A failed step ends the resize. Completed steps are recorded, so the next pass
continues from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs
from msgspec.structs import replace

from podwright.agent.allocation import messages
from podwright.agent.allocation.conditions import ERROR
from podwright.agent.decisions.resizing import ContainerResize, PodResize, is_in_progress, refused_decreases
from podwright.agent.pods.allocation import PodAllocation, effective, mixed
from podwright.agent.pods.containers import AnyContainer, find_container
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.resize_steps import cgroup_steps, memory_decrease
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.starting import TargetSandbox
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, PodwrightError, Unimplemented
from podwright.k8s.objects import Container, Pod, ResourceRequirements

MEMORY_FIRST = ("memory", "cpu")


class Resizer:
    """Resizes all pods."""

    def __init__(self, ports: SyncerPorts) -> None:
        self._ports = ports

    # -- what is on record

    async def allocation_saved(self) -> None:
        """Return when the file shows what pods were allocated, so that an agent after this one knows it."""
        await self._ports.resizes.allocated.saved()

    def actuated(self, pod: Pod) -> PodAllocation:
        """The resources that were last set on the containers and on the pod's cgroup."""
        return self._ports.resizes.actuated.get(pod.metadata.uid) or PodAllocation()

    async def note_created(self, pod: Pod, container: AnyContainer) -> None:
        """Record that a container is about to be created with its allocated size."""
        if isinstance(container, Container):
            await self._note(pod, container.name, container.resources)

    async def note_cgroup(self, pod: Pod) -> None:
        """Record that the pod's cgroup was made with the allocated limits."""
        if pod.spec.resources is not None:
            self._ports.resizes.actuated.put_pod_level(pod.metadata.uid, pod.spec.resources)
            await self._ports.resizes.actuated.saved()

    def note_progress(self, pod: Pod, observed: ObservedPod) -> None:
        """Set the pod's condition about a resize in progress. When the resize has ended, record an event."""
        ports = self._ports
        if is_in_progress(pod, observed, self.actuated(pod)):
            ports.resizes.conditions.progress(pod)
        elif (generation := ports.resizes.conditions.finish(pod.metadata.uid)) is not None:
            message = messages.resize_message(messages.COMPLETED, pod, generation)
            ports.events.pod(pod, "Normal", "ResizeCompleted", message)

    # -- doing it

    async def resize(self, pod: Pod, resize: PodResize, sandbox: TargetSandbox) -> None:
        """Carry out a resize. A failure becomes the condition's reason and an event. Raises PodwrightError."""
        ports, began = self._ports, self._ports.clock.monotonic()
        is_done = False
        try:
            await self._resize(pod, resize, sandbox)
            is_done = True
        except PodwrightError as failure:
            generation, is_news = ports.resizes.conditions.progress(pod, ERROR, str(failure))
            if is_news:
                message = messages.resize_message(messages.FAILED, pod, generation, str(failure))
                ports.events.pod(pod, "Warning", "ResizeError", message)
            raise
        finally:
            took_ms = (ports.clock.monotonic() - began) * 1000
            ports.metrics.resizes.durations_ms.observe(took_ms, "true" if is_done else "false")

    async def _resize(self, pod: Pod, resize: PodResize, sandbox: TargetSandbox) -> None:
        current = self._ports.cgroups.current(pod)
        wanted = self._ports.cgroups.wanted(pod) if current is not None else CgroupLimits()
        current = current or CgroupLimits()
        await self._check_memory(pod, resize, sandbox, memory_decrease(current, wanted))
        for resource in MEMORY_FIRST:
            if not resize.concerns(resource):
                continue
            steps = cgroup_steps(current, wanted, resource)
            for limits in steps.before:
                current = await self._limit_pod(pod, sandbox, current, limits)
            for each in resize.of(resource):
                await self._update(pod, each, resource)
            for limits in steps.after:
                current = await self._limit_pod(pod, sandbox, current, limits)
            if resize.pod_level:
                await self._note_pod_level(pod, resource)

    async def _check_memory(self, pod: Pod, resize: PodResize, sandbox: TargetSandbox, pod_limit: int | None) -> None:
        """Raise FailedPrecondition if more memory is in use than a new limit allows.

        The kernel would kill a process.
        """
        containers = resize.of("memory")
        if not containers and not resize.restarts:
            return
        if not refused_decreases(containers, pod_limit=pod_limit, usage={}, pod_usage=None):
            return  # no limit becomes smaller
        try:
            stats = await self._ports.runtime.stats_of_sandbox(sandbox.id)
        except PodwrightError as failure:
            raise FailedPrecondition(
                f"unable to read memory usage for pod {pod.metadata.name}: {failure}"
            ) from failure
        usage = {each.attributes.metadata.name: _used(each.memory) for each in stats.linux.containers}
        pod_usage = _used(stats.linux.memory) if stats.linux.HasField("memory") else None
        faults = refused_decreases(containers, pod_limit=pod_limit, usage=usage, pod_usage=pod_usage)
        if faults:
            raise FailedPrecondition(f"cannot decrease memory limits: {_listed(faults)}")

    async def _limit_pod(
        self, pod: Pod, sandbox: TargetSandbox, current: CgroupLimits, limits: CgroupLimits
    ) -> CgroupLimits:
        """Change the pod's cgroup, after the runtime has agreed. Returns the new limits."""
        known = {name: value for name in _FIELDS if (value := getattr(limits, name)) is not None}
        merged = replace(current, **known)
        await self._send_size(sandbox, merged)
        try:
            await self._ports.cgroups.limit(pod, limits)
        except PodwrightError:
            await self._send_size(sandbox, current)
            raise
        return merged

    async def _send_size(self, sandbox: TargetSandbox, limits: CgroupLimits) -> None:
        """Send the pod's new size to the runtime. Does nothing if the runtime lacks the call."""
        overhead = sandbox.config.linux.overhead
        resources = api.LinuxContainerResources(
            cpu_shares=max((limits.cpu_shares or 0) - overhead.cpu_shares, 0),
            cpu_period=limits.cpu_period_us or 0,
            cpu_quota=_without(limits.cpu_quota_us, overhead.cpu_quota),
            memory_limit_in_bytes=_without(limits.memory_bytes, overhead.memory_limit_in_bytes),
        )
        try:
            await self._ports.runtime.update_sandbox(sandbox.id, overhead, resources)
        except PodwrightError as failure:
            # containerd 2.2 answers with an unknown error whose message says so. The kubelet searches for the same
            # text.
            if not isinstance(failure, Unimplemented) and "not implemented" not in str(failure):
                raise

    async def _update(self, pod: Pod, resize: ContainerResize, resource: str) -> None:
        """Send a container's new `cpu` or `memory` to the runtime, with its present value of the other."""
        container = find_container(pod, resize.name)
        if not isinstance(container, Container):
            return
        known = self.actuated(pod).containers.get(container.name, container.resources)
        resources = mixed(effective(container.resources, pod.spec.resources), known, resource)
        update = await self._ports.configs.resources(pod, structs.replace(container, resources=resources))
        await self._ports.runtime.update_container(resize.id, update)
        await self._note(pod, container.name, resources)

    async def _note(self, pod: Pod, name: str, resources: ResourceRequirements) -> None:
        own = effective(resources, pod.spec.resources)
        self._ports.resizes.actuated.put_container(pod.metadata.uid, name, own)
        await self._ports.resizes.actuated.saved()

    async def _note_pod_level(self, pod: Pod, resource: str) -> None:
        wanted = pod.spec.resources or ResourceRequirements()
        known = self.actuated(pod).pod or ResourceRequirements()
        self._ports.resizes.actuated.put_pod_level(pod.metadata.uid, mixed(wanted, known, resource))
        await self._ports.resizes.actuated.saved()


_FIELDS = ("memory_bytes", "cpu_shares", "cpu_quota_us", "cpu_period_us")


def _used(memory: api.MemoryUsage) -> int | None:
    return memory.usage_bytes.value if memory.HasField("usage_bytes") else None


def _without(value: int | None, overhead: int) -> int:
    """A limit without the overhead of the sandbox. 0 for no limit."""
    return max(value - overhead, 0) if value is not None and value > 0 else 0


def _listed(faults: Sequence[str]) -> str:
    """Several errors as Go prints them."""
    return faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
