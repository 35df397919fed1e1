"""A container runtime in memory: the `CriRuntime` and `CriImages` of tests.

Containers run "programs" that a test gives by the container's name: how long each runs and how it ends. Times are the
clock's, so that on virtual time an hour of crashes takes no time at all.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.pods.identity import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID
from podwright.agent.runtime.convert import observed
from podwright.agent.runtime.records import (
    ContainerSummary,
    CriCondition,
    CriContainerState,
    CriContainerStatus,
    CriSandboxState,
    ExecResult,
    FilesystemSpace,
    HandlerFeatures,
    ImageStatus,
    MountStatus,
    RegistryCredentials,
    ResourcesStatus,
    RuntimeEvent,
    RuntimeEventKind,
    RuntimeState,
    RuntimeVersion,
    SandboxStatus,
    SandboxSummary,
)
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists, FailedPrecondition, NotFound, PodwrightError

Exec = Callable[[str, list[str]], Awaitable[ExecResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a container does. `runs_s` None: until it is stopped, which takes `stops_s` after the signal.

    A program that ignores the signal has `stops_s` None, and is killed after the grace.
    """

    runs_s: float | None = None
    exit_code: int = 0
    reason: str = ""
    stops_s: float | None = 0.0
    start_error: PodwrightError | None = None


@dataclass(slots=True, kw_only=True)
class _Container:
    status: CriContainerStatus
    program: Program
    config: api.ContainerConfig
    signalled: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    life: asyncio.Task[None] | None = None


class FakeRuntime:
    """See the module's text. `calls` lists what was asked for, as (method, id or name)."""

    def __init__(self, clock: Clock, *, sends_pods: bool = True) -> None:
        """`sends_pods`: whether events and sandbox statuses carry the containers, as containerd's do not."""
        self.clock = clock
        self.sends_pods = sends_pods
        self.programs: dict[str, list[Program]] = {}
        self.calls: list[tuple[str, str]] = []
        self.failures: dict[str, list[PodwrightError]] = {}  # by method: raised once each, in order
        self.names_removed = True  # whether the event of a removed sandbox says whose it was
        self.down: PodwrightError | None = None  # raised by every call
        self.hangs: set[str] = set()  # methods that do not answer
        self.network_ready = True
        self.handlers: tuple[HandlerFeatures, ...] = (HandlerFeatures(name=""),)
        self.exec_handler: Exec | None = None
        self.images_by_name: dict[str, ImageStatus] = {}
        self.pullable: dict[str, ImageStatus] = {}
        self.pull_s = 0.0
        self.memory_used: dict[str, int] = {}  # bytes, by container
        self._sandboxes: dict[str, SandboxStatus] = {}
        self._configs: dict[str, api.PodSandboxConfig] = {}
        self._containers: dict[str, _Container] = {}
        self._numbers = itertools.count(1)
        self._listeners: list[asyncio.Queue[RuntimeEvent | None]] = []

    # -- for tests

    def count(self, method: str) -> int:
        """How often a method was called."""
        return Counter(name for name, _ in self.calls)[method]

    def container(self, name: str, pod_uid: str = "") -> CriContainerStatus:
        """The newest instance of a container by name."""
        found = [
            each.status
            for each in self._containers.values()
            if each.status.name == name and pod_uid in ("", each.status.labels[POD_UID])
        ]
        return max(found, key=lambda status: status.created_at_ns)

    def config_of(self, container_id: str) -> api.ContainerConfig:
        """What a container was made of."""
        return self._containers[container_id].config

    def sandbox_config_of(self, sandbox_id: str) -> api.PodSandboxConfig:
        """What a sandbox was made of."""
        return self._configs[sandbox_id]

    def running_names(self) -> list[str]:
        """The names of the containers that run, sorted."""
        running = (each.status for each in self._containers.values())
        return sorted(status.name for status in running if status.state is CriContainerState.RUNNING)

    async def end(self, name: str, exit_code: int, reason: str = "") -> None:
        """Let the running instance of a container end by itself."""
        status = self.container(name)
        self._end(self._containers[status.id], exit_code, reason)
        await asyncio.sleep(0)

    def lose_sandbox(self, pod_uid: str) -> None:
        """The pod's sandbox dies, with all that runs in it."""
        for sandbox in list(self._sandboxes.values()):
            if sandbox.pod_uid == pod_uid and sandbox.state is CriSandboxState.READY:
                for each in self._containers.values():
                    if each.status.sandbox_id == sandbox.id and each.status.state is CriContainerState.RUNNING:
                        self._end(each, 137, "Error")
                self._sandboxes[sandbox.id] = replace(sandbox, state=CriSandboxState.NOTREADY)
                self._emit(sandbox.id, RuntimeEventKind.STOPPED, sandbox.id)

    def end_streams(self) -> None:
        """The event streams end, as when the runtime restarts."""
        for queue in self._listeners:
            queue.put_nowait(None)

    async def _call(self, method: str, of: str = "") -> None:
        self.calls.append((method, of))
        if method in self.hangs:
            await asyncio.Event().wait()
        if self.down is not None:
            raise self.down
        if planned := self.failures.get(method):
            raise planned.pop(0)

    # -- RuntimeService

    async def version(self) -> RuntimeVersion:
        await self._call("version")
        return RuntimeVersion(name="fake", version="1.0", api_version="v1")

    async def state(self) -> RuntimeState:
        await self._call("state")
        network = CriCondition(status=self.network_ready, reason="" if self.network_ready else "NoNetwork")
        return RuntimeState(
            runtime=CriCondition(status=True),
            network=network,
            handlers=self.handlers,
            supplemental_groups_policy=True,
        )

    async def cgroup_driver(self) -> str | None:
        await self._call("cgroup_driver")
        return "cgroupfs"

    async def set_pod_cidr(self, cidr: str) -> None:
        await self._call("set_pod_cidr", cidr)

    async def sandboxes(self) -> list[SandboxSummary]:
        await self._call("sandboxes")
        return [_summary(sandbox) for sandbox in self._sandboxes.values()]

    async def containers(self) -> list[ContainerSummary]:
        await self._call("containers")
        return [_container_summary(each.status) for each in self._containers.values()]

    async def pod_sandboxes(self, pod_uid: str) -> list[SandboxSummary]:
        await self._call("pod_sandboxes", pod_uid)
        return [_summary(sandbox) for sandbox in self._sandboxes.values() if sandbox.pod_uid == pod_uid]

    async def pod_containers(self, pod_uid: str) -> list[ContainerSummary]:
        await self._call("pod_containers", pod_uid)
        statuses = (each.status for each in self._containers.values())
        return [_container_summary(status) for status in statuses if status.labels[POD_UID] == pod_uid]

    async def sandbox_status(self, sandbox_id: str) -> tuple[SandboxStatus, tuple[CriContainerStatus, ...] | None]:
        await self._call("sandbox_status", sandbox_id)
        status = self._sandbox(sandbox_id)
        return status, self._containers_in(sandbox_id) if self.sends_pods else None

    async def container_status(self, container_id: str) -> CriContainerStatus:
        await self._call("container_status", container_id)
        return self._container(container_id).status

    async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        await self._call("events")
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._listeners.append(queue)
        begun.set()
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue)

    async def run_sandbox(self, config: api.PodSandboxConfig, handler: str) -> str:
        await self._call("run_sandbox", config.metadata.name)
        number = next(self._numbers)
        host_network = config.linux.security_context.namespace_options.network == api.NODE
        status = SandboxStatus(
            id=f"sandbox{number}",
            pod_uid=config.metadata.uid,
            pod_name=config.metadata.name,
            pod_namespace=config.metadata.namespace,
            attempt=config.metadata.attempt,
            state=CriSandboxState.READY,
            created_at_ns=self.clock.now_ns(),
            ips=() if host_network else (f"10.0.0.{number}",),
            host_network=host_network,
            runtime_handler=handler,
        )
        self._sandboxes[status.id] = status
        self._configs[status.id] = config
        self._emit(status.id, RuntimeEventKind.CREATED, status.id)
        self._emit(status.id, RuntimeEventKind.STARTED, status.id)
        return status.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._call("stop_sandbox", sandbox_id)
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        for each in list(self._containers.values()):
            if each.status.sandbox_id == sandbox_id and each.status.state is CriContainerState.RUNNING:
                self._end(each, 137, "Error")
        if sandbox.state is CriSandboxState.READY:
            self._sandboxes[sandbox_id] = replace(sandbox, state=CriSandboxState.NOTREADY)
            self._emit(sandbox_id, RuntimeEventKind.STOPPED, sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        await self._call("remove_sandbox", sandbox_id)
        for each in self._containers_in(sandbox_id):
            del self._containers[each.id]
        if (sandbox := self._sandboxes.pop(sandbox_id, None)) is not None:
            uid = sandbox.pod_uid if self.names_removed else ""
            self._emit(sandbox_id, RuntimeEventKind.DELETED, sandbox_id, uid)

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        name = config.metadata.name
        await self._call("create_container", name)
        sandbox = self._sandbox(sandbox_id)
        if sandbox.state is not CriSandboxState.READY:
            raise FailedPrecondition(f"sandbox {sandbox_id} is not ready")
        for each in self._containers_in(sandbox_id):
            if (each.name, each.restart_count) == (name, config.metadata.attempt):
                raise AlreadyExists(f"container {name} attempt {config.metadata.attempt} exists")
        programs = self.programs.get(name, [Program()])
        status = CriContainerStatus(
            id=f"container{next(self._numbers)}",
            name=name,
            sandbox_id=sandbox_id,
            restart_count=config.metadata.attempt,
            state=CriContainerState.CREATED,
            created_at_ns=self.clock.now_ns(),
            image=config.image.user_specified_image or config.image.image,
            image_id=config.image.image,
            image_ref=config.image.image,
            labels=dict(config.labels),
            annotations=dict(config.annotations),
            log_path=f"{sandbox_config.log_directory}/{config.log_path}" if config.log_path else "",
            mounts=tuple(
                MountStatus(
                    container_path=mount.container_path,
                    host_path=mount.host_path,
                    readonly=mount.readonly,
                    image=mount.image.image,
                )
                for mount in config.mounts
            ),
        )
        program = programs[min(config.metadata.attempt, len(programs) - 1)]
        self._containers[status.id] = _Container(status=status, program=program, config=config)
        self._emit(status.id, RuntimeEventKind.CREATED, sandbox_id)
        return status.id

    async def start_container(self, container_id: str) -> None:
        each = self._container(container_id)
        await self._call("start_container", each.status.name)
        if each.program.start_error is not None:
            each.status = replace(
                each.status,
                state=CriContainerState.EXITED,
                exit_code=128,
                reason="StartError",
                finished_at_ns=self.clock.now_ns(),
                message=str(each.program.start_error),
            )
            raise each.program.start_error
        each.status = replace(each.status, state=CriContainerState.RUNNING, started_at_ns=self.clock.now_ns())
        if each.status.log_path and os.path.isdir(os.path.dirname(each.status.log_path)):
            with open(each.status.log_path, "a", encoding="utf-8"):
                pass
        each.life = asyncio.create_task(self._live(each), name=f"container {each.status.name}")
        self._emit(container_id, RuntimeEventKind.STARTED, each.status.sandbox_id)

    async def _live(self, each: _Container) -> None:
        try:
            async with asyncio.timeout(each.program.runs_s):
                await each.signalled.wait()
        except TimeoutError:
            self._end(each, each.program.exit_code, each.program.reason)
            return
        try:
            async with asyncio.timeout(each.program.stops_s):
                await each.killed.wait()
            self._end(each, 137, "Error")
        except TimeoutError:
            self._end(each, each.program.exit_code or 143, "Error")

    def _end(self, each: _Container, exit_code: int, reason: str) -> None:
        if each.status.state is not CriContainerState.RUNNING:
            return
        each.status = replace(
            each.status,
            state=CriContainerState.EXITED,
            exit_code=exit_code,
            reason=reason or ("Error" if exit_code else "Completed"),
            finished_at_ns=self.clock.now_ns(),
        )
        each.ended.set()
        if each.life is not None and each.life is not asyncio.current_task():
            each.life.cancel()
        self._emit(each.status.id, RuntimeEventKind.STOPPED, each.status.sandbox_id)

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        each = self._containers.get(container_id)
        await self._call("stop_container", each.status.name if each is not None else container_id)
        if each is None or each.status.state is not CriContainerState.RUNNING:
            return
        each.signalled.set()
        try:
            async with asyncio.timeout(grace_s):
                await each.ended.wait()
        except TimeoutError:
            each.killed.set()
            await each.ended.wait()

    async def remove_container(self, container_id: str) -> None:
        await self._call("remove_container", container_id)
        if (each := self._containers.get(container_id)) is not None:
            self._end(each, 137, "Error")
            del self._containers[container_id]
            self._emit(container_id, RuntimeEventKind.DELETED, each.status.sandbox_id)

    async def update_container(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        container = self._container(container_id)
        await self._call("update_container", container.status.name)
        limits = ResourcesStatus(
            cpu_shares=resources.cpu_shares,
            cpu_quota_us=resources.cpu_quota,
            cpu_period_us=resources.cpu_period,
            memory_limit_bytes=resources.memory_limit_in_bytes,
        )
        container.status = replace(container.status, resources=limits)

    async def update_sandbox(
        self, sandbox_id: str, overhead: api.LinuxContainerResources, resources: api.LinuxContainerResources
    ) -> None:
        await self._call("update_sandbox", sandbox_id)

    async def exec_sync(self, container_id: str, command: list[str], timeout_s: int) -> ExecResult:
        name = self._container(container_id).status.name
        await self._call("exec_sync", name)
        if self.exec_handler is not None:
            return await self.exec_handler(name, command)
        return ExecResult(exit_code=0)

    async def reopen_log(self, container_id: str) -> None:
        await self._call("reopen_log", self._container(container_id).status.name)

    async def exec_url(self, request: api.ExecRequest) -> str:
        await self._call("exec_url", request.container_id)
        return "http://127.0.0.1:1/exec"

    async def attach_url(self, request: api.AttachRequest) -> str:
        await self._call("attach_url", request.container_id)
        return "http://127.0.0.1:1/attach"

    async def port_forward_url(self, request: api.PortForwardRequest) -> str:
        await self._call("port_forward_url", request.pod_sandbox_id)
        return "http://127.0.0.1:1/portforward"

    async def checkpoint_container(self, container_id: str, location: str, timeout_s: int) -> None:
        await self._call("checkpoint_container", container_id)

    async def container_stats(self) -> list[api.ContainerStats]:
        await self._call("container_stats")
        return []

    async def sandbox_stats(self) -> list[api.PodSandboxStats]:
        await self._call("sandbox_stats")
        return []

    async def stats_of_sandbox(self, sandbox_id: str) -> api.PodSandboxStats:
        await self._call("stats_of_sandbox", sandbox_id)
        stats = api.PodSandboxStats()
        for each in self._containers_in(sandbox_id):
            used = self.memory_used.get(each.name, 0)
            container = stats.linux.containers.add()
            container.attributes.metadata.name = each.name
            container.memory.usage_bytes.value = used
            stats.linux.memory.usage_bytes.value += used
        return stats

    async def metric_descriptors(self) -> list[api.MetricDescriptor]:
        await self._call("metric_descriptors")
        return []

    async def sandbox_metrics(self) -> list[api.PodSandboxMetrics]:
        await self._call("sandbox_metrics")
        return []

    # -- ImageService

    async def images(self) -> list[ImageStatus]:
        await self._call("images")
        return list(self.images_by_name.values())

    async def image(self, reference: str, *, annotations: dict[str, str] | None = None) -> ImageStatus | None:
        await self._call("image", reference)
        by_id = {status.id: status for status in self.images_by_name.values()}
        return self.images_by_name.get(reference) or by_id.get(reference)

    async def pull(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        await self._call("pull", reference)
        await asyncio.sleep(self.pull_s)
        if reference not in self.pullable:
            raise NotFound(f"image {reference} does not exist")
        self.images_by_name[reference] = self.pullable[reference]
        return self.pullable[reference].id

    async def remove_image(self, reference: str) -> None:
        await self._call("remove_image", reference)
        for name, status in list(self.images_by_name.items()):
            if reference in (name, status.id):
                del self.images_by_name[name]

    async def filesystems(self) -> tuple[list[FilesystemSpace], list[FilesystemSpace]]:
        await self._call("filesystems")
        used = sum(status.size_bytes for status in self.images_by_name.values())
        usage = FilesystemSpace(mountpoint="/", used_bytes=used, inodes_used=0)
        return [usage], [usage]

    # -- inside

    def _sandbox(self, sandbox_id: str) -> SandboxStatus:
        if sandbox_id not in self._sandboxes:
            raise NotFound(f"sandbox {sandbox_id} does not exist")
        return self._sandboxes[sandbox_id]

    def _container(self, container_id: str) -> _Container:
        if container_id not in self._containers:
            raise NotFound(f"container {container_id} does not exist")
        return self._containers[container_id]

    def _containers_in(self, sandbox_id: str) -> tuple[CriContainerStatus, ...]:
        statuses = (each.status for each in self._containers.values())
        return tuple(status for status in statuses if status.sandbox_id == sandbox_id)

    def _emit(self, of: str, kind: RuntimeEventKind, sandbox_id: str, pod_uid: str = "") -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        uid = sandbox.pod_uid if sandbox is not None else pod_uid
        pod = None
        if sandbox is not None:
            pod = observed(uid, [sandbox], self._containers_in(sandbox_id) if self.sends_pods else (), 0.0)
        event = RuntimeEvent(id=of, kind=kind, pod_uid=uid, created_at_ns=self.clock.now_ns(), pod=pod)
        for queue in self._listeners:
            queue.put_nowait(event)


def _summary(sandbox: SandboxStatus) -> SandboxSummary:
    return SandboxSummary(
        id=sandbox.id,
        pod_uid=sandbox.pod_uid,
        pod_name=sandbox.pod_name,
        pod_namespace=sandbox.pod_namespace,
        attempt=sandbox.attempt,
        state=sandbox.state,
        created_at_ns=sandbox.created_at_ns,
    )


def _container_summary(status: CriContainerStatus) -> ContainerSummary:
    return ContainerSummary(
        id=status.id,
        pod_uid=status.labels[POD_UID],
        pod_name=status.labels.get(POD_NAME, ""),
        pod_namespace=status.labels.get(POD_NAMESPACE, ""),
        sandbox_id=status.sandbox_id,
        name=status.labels.get(CONTAINER_NAME, status.name),
        attempt=status.restart_count,
        state=status.state,
        created_at_ns=status.created_at_ns,
        image=status.image,
        image_id=status.image_id,
        annotations=status.annotations,
    )
