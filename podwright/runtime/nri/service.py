"""NRI's plug-ins as a listener of the life cycle: one after the other by their index, then the validators at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from google.protobuf.message import Message

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, PodwrightError
from podwright.process import ProcessRunner
from podwright.runtime.cdi import Cdi
from podwright.runtime.classes import ResourceClasses, WantedClasses
from podwright.runtime.config import NriSettings
from podwright.runtime.lifecycle import LifeCycle, LifeCycles, Spec
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.nri import adjusting, describing, validating
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.gathering import Gathered, Owners, merge_resources, merge_update
from podwright.runtime.nri.plugin import NriPlugin
from podwright.runtime.nri.plugins import NriPlugins
from podwright.runtime.oci_spec import resources as limits

log = logging.getLogger(__name__)


class Pods(Protocol):
    """What plug-ins may know and do, of pods and containers."""

    def sandboxes(self) -> Iterable[Sandbox]:
        """Those that clients see."""

    def containers(self) -> Iterable[Container]:
        """As above."""

    def spec(self, container: Container) -> dict[str, Any]:
        """A container's OCI spec. Empty if it is gone."""

    async def update(self, container_id: str, change: Resources) -> None:
        """Change limits without asking plug-ins. Raises PodwrightError."""

    async def stop(self, container_id: str) -> None:
        """Stop a container. Raises PodwrightError."""


class Nri(LifeCycle):
    """All plug-ins. `attach` comes before `start`."""

    def __init__(self, settings: NriSettings, runner: ProcessRunner, cdi: Cdi, classes: ResourceClasses) -> None:
        self._settings = settings
        self._cdi = cdi
        self._classes = classes
        self._plugins = NriPlugins(settings, runner, welcome=self._welcome, updated=self._update_from)
        self._lock = asyncio.Lock()  # one step at a time for all plug-ins
        self._pods: Pods | None = None
        self._life: LifeCycles | None = None

    def attach(self, pods: Pods, life: LifeCycles) -> None:
        """What is described to plug-ins, and what holds changes back meanwhile."""
        self._pods, self._life = pods, life

    async def start(self) -> None:
        """After recovery: take plug-ins in."""
        await self._plugins.start()

    async def close(self) -> None:
        """Let all plug-ins go."""
        await self._plugins.close()

    async def _welcome(self, plugin: NriPlugin) -> None:
        assert self._pods is not None
        assert self._life is not None
        async with self._life.alone():
            pods = [describing.pod(one) for one in self._pods.sandboxes()]
            containers = [self._described(one) for one in self._pods.containers()]
            updates = await plugin.synchronize(pods, containers)
            self._plugins.add(plugin)
        await self._apply(updates)

    def _described(self, container: Container) -> pb.Container:
        assert self._pods is not None
        return describing.container(container, self._pods.spec(container))

    # -- what plug-ins want of containers that are there

    async def _update_from(
        self, plugin: NriPlugin, request: pb.UpdateContainersRequest
    ) -> pb.UpdateContainersResponse:
        if plugin not in self._plugins.all():
            raise FailedPrecondition("a plug-in may update containers once it takes part")
        failed = await self._apply(request.update)
        await self._evict(request.evict)
        return pb.UpdateContainersResponse(failed=failed)

    async def _apply(self, updates: Iterable[pb.ContainerUpdate]) -> list[pb.ContainerUpdate]:
        """Change limits. Returns the updates that failed, without those that may."""
        assert self._pods is not None
        failed = []
        for update in updates:
            try:
                await self._pods.update(update.container_id, describing.limits_of(update.linux.resources))
            except NotFound:
                continue  # it has gone in the meantime
            except PodwrightError as failure:
                log.warning("an NRI update fails: container=%s error=%s", update.container_id[:12], failure)
                if not update.ignore_failure:
                    failed.append(update)
        return failed

    async def _evict(self, evictions: Iterable[pb.ContainerEviction]) -> None:
        assert self._pods is not None
        for eviction in evictions:
            log.info("an NRI plug-in evicts: container=%s reason=%s", eviction.container_id[:12], eviction.reason)
            try:
                await self._pods.stop(eviction.container_id)
            except PodwrightError as failure:
                log.warning("an NRI eviction fails: container=%s error=%s", eviction.container_id[:12], failure)

    # -- the life cycle

    async def _tell(self, method: str, event: int, request: Message) -> None:
        """Raises the first failure that a plug-in answers with, once all have been called."""
        failures = []
        async with self._lock:
            for plugin in self._plugins.all():
                try:
                    await plugin.call(method, event, request, pb.Empty)
                except PodwrightError as failure:
                    failures.append(_named(plugin, failure))
        if failures:
            raise failures[0]

    async def run_sandbox(self, sandbox: Sandbox) -> None:
        if self._plugins.all():
            request = pb.RunPodSandboxRequest(pod=describing.pod(sandbox))
            await self._tell("RunPodSandbox", pb.RUN_POD_SANDBOX, request)

    async def update_sandbox(self, sandbox: Sandbox, overhead: Resources | None, resources: Resources | None) -> None:
        if self._plugins.all():
            request = pb.UpdatePodSandboxRequest(
                pod=describing.pod(sandbox),
                overhead_linux_resources=describing.resources(overhead) if overhead else None,
                linux_resources=describing.resources(resources) if resources else None,
            )
            await self._tell("UpdatePodSandbox", pb.UPDATE_POD_SANDBOX, request)

    async def sandbox_updated(self, sandbox: Sandbox) -> None:
        if self._plugins.all():
            request = pb.PostUpdatePodSandboxRequest(pod=describing.pod(sandbox))
            await self._tell("PostUpdatePodSandbox", pb.POST_UPDATE_POD_SANDBOX, request)

    async def stop_sandbox(self, sandbox: Sandbox) -> None:
        if self._plugins.all():
            request = pb.StopPodSandboxRequest(pod=describing.pod(sandbox))
            await self._tell("StopPodSandbox", pb.STOP_POD_SANDBOX, request)

    async def remove_sandbox(self, sandbox: Sandbox) -> None:
        if self._plugins.all():
            request = pb.RemovePodSandboxRequest(pod=describing.pod(sandbox))
            await self._tell("RemovePodSandbox", pb.REMOVE_POD_SANDBOX, request)

    async def create_container(self, spec: Spec, sandbox: Sandbox, container: Container) -> Container:
        if not self._plugins.all() and not self._settings.default_validator.enable:
            return container
        pod = describing.pod(sandbox)
        gathered = Gathered(describing.container(container, spec))
        async with self._lock:
            asked = self._plugins.all()
            for plugin in asked:
                request = pb.CreateContainerRequest(pod=pod, container=gathered.container)
                try:
                    answer = await plugin.call(
                        "CreateContainer", pb.CREATE_CONTAINER, request, pb.CreateContainerResponse
                    )
                except PodwrightError as failure:
                    raise _named(plugin, failure) from failure
                if answer is not None:
                    gathered.take(answer, str(plugin))
            await self._validate(pod, gathered, asked)
        await self._evict(gathered.evictions)
        await self._apply(gathered.updates.values())
        return await self._adjusted(spec, container, gathered.adjust)

    async def _adjusted(self, spec: Spec, container: Container, wanted: pb.ContainerAdjustment) -> Container:
        adjusting.adjust(spec, wanted)
        if wanted.CDI_devices:
            edited = await asyncio.to_thread(self._cdi.inject, spec, [one.name for one in wanted.CDI_devices])
            if edited is not spec:
                spec.clear()
                spec.update(edited)
        resources = wanted.linux.resources
        if classes := WantedClasses(blockio=resources.blockio_class.value, rdt=resources.rdt_class.value):
            await asyncio.to_thread(self._classes.apply, spec, classes)
        granted = limits.merged(container.resources, describing.limits_of(resources))
        if wanted.linux.HasField("oom_score_adj"):
            granted = msgspec.structs.replace(granted, oom_score_adj=wanted.linux.oom_score_adj.value)
        limits.check(granted)
        cgroup = wanted.linux.cgroups_path
        if ":" in cgroup or (cgroup and not cgroup.startswith("/")):
            raise InvalidArgument(
                f"an NRI plug-in moves the container to cgroup {cgroup!r}, which is not an absolute path"
            )
        return msgspec.structs.replace(container, resources=granted, cgroup=cgroup or container.cgroup)

    async def _validate(self, pod: pb.PodSandbox, gathered: Gathered, asked: list[NriPlugin]) -> None:
        """Raises PermissionDenied when one validator rejects what the plug-ins want, or cannot say."""
        request = pb.ValidateContainerAdjustmentRequest(
            pod=pod,
            container=gathered.pristine,
            adjust=gathered.adjust,
            update=gathered.updates.values(),
            owners=gathered.owners.message,
            plugins=[pb.PluginInstance(name=plugin.name, index=plugin.index) for plugin in asked],
        )
        if self._settings.default_validator.enable:
            validating.validate(self._settings.default_validator, request)
        validators = [plugin for plugin in asked if plugin.wants(pb.VALIDATE_CONTAINER_ADJUSTMENT)]
        await asyncio.gather(*(self._ask(validator, request) for validator in validators))

    async def _ask(self, plugin: NriPlugin, request: pb.ValidateContainerAdjustmentRequest) -> None:
        try:
            answer = await plugin.call(
                "ValidateContainerAdjustment",
                pb.VALIDATE_CONTAINER_ADJUSTMENT,
                request,
                pb.ValidateContainerAdjustmentResponse,
            )
        except PodwrightError as failure:
            raise PermissionDenied(f"NRI validator {plugin}: {failure}") from failure
        if answer is None:
            raise PermissionDenied(f"NRI validator {plugin} does not answer")
        if answer.reject:
            raise PermissionDenied(f"NRI validator {plugin} rejects the container: {answer.reason}")

    async def container_created(self, sandbox: Sandbox, container: Container) -> None:
        if self._plugins.all():
            request = pb.PostCreateContainerRequest(pod=describing.pod(sandbox), container=self._described(container))
            await self._tell("PostCreateContainer", pb.POST_CREATE_CONTAINER, request)

    async def start_container(self, sandbox: Sandbox, container: Container) -> None:
        if self._plugins.all():
            request = pb.StartContainerRequest(pod=describing.pod(sandbox), container=self._described(container))
            await self._tell("StartContainer", pb.START_CONTAINER, request)

    async def container_started(self, sandbox: Sandbox, container: Container) -> None:
        if self._plugins.all():
            request = pb.PostStartContainerRequest(pod=describing.pod(sandbox), container=self._described(container))
            await self._tell("PostStartContainer", pb.POST_START_CONTAINER, request)

    async def update_container(self, sandbox: Sandbox, container: Container, change: Resources) -> Resources:
        if not self._plugins.all():
            return change
        wanted, owners = pb.ContainerUpdate(container_id=container.id), Owners()
        others: dict[str, pb.ContainerUpdate] = {}
        evictions: list[pb.ContainerEviction] = []
        async with self._lock:
            for plugin in self._plugins.all():
                request = pb.UpdateContainerRequest(
                    pod=describing.pod(sandbox),
                    container=self._described(container),
                    linux_resources=describing.resources(change),
                )
                try:
                    answer = await plugin.call(
                        "UpdateContainer", pb.UPDATE_CONTAINER, request, pb.UpdateContainerResponse
                    )
                except PodwrightError as failure:
                    raise _named(plugin, failure) from failure
                if answer is None:
                    continue
                evictions.extend(answer.evict)
                for update in answer.update:
                    if update.container_id != container.id:
                        merge_update(others, owners, update, str(plugin))
                        continue
                    target = wanted.linux.resources
                    merge_resources(update.linux.resources, target, owners, container.id, str(plugin))
                    change = limits.merged(change, describing.limits_of(target))
        await self._evict(evictions)
        await self._apply(others.values())
        return change

    async def container_updated(self, sandbox: Sandbox, container: Container) -> None:
        if self._plugins.all():
            request = pb.PostUpdateContainerRequest(pod=describing.pod(sandbox), container=self._described(container))
            await self._tell("PostUpdateContainer", pb.POST_UPDATE_CONTAINER, request)

    async def stop_container(self, sandbox: Sandbox, container: Container) -> None:
        if not self._plugins.all():
            return
        request = pb.StopContainerRequest(pod=describing.pod(sandbox), container=self._described(container))
        others: dict[str, pb.ContainerUpdate] = {}
        owners = Owners()
        async with self._lock:
            for plugin in self._plugins.all():
                try:
                    answer = await plugin.call("StopContainer", pb.STOP_CONTAINER, request, pb.StopContainerResponse)
                    for update in answer.update if answer is not None else ():
                        merge_update(others, owners, update, str(plugin))
                except PodwrightError as failure:
                    log.warning("an NRI plug-in fails: plugin=%s error=%s", plugin, failure)
        await self._apply(others.values())

    async def remove_container(self, sandbox: Sandbox, container: Container) -> None:
        if self._plugins.all():
            request = pb.RemoveContainerRequest(pod=describing.pod(sandbox), container=self._described(container))
            await self._tell("RemoveContainer", pb.REMOVE_CONTAINER, request)


def _named(plugin: NriPlugin, failure: PodwrightError) -> PodwrightError:
    """The failure with the plug-in's name."""
    return type(failure)(f"NRI plug-in {plugin}: {failure.message}")
