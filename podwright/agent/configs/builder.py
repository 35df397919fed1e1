"""Builds CRI's messages for workers: gathers their inputs, and prepares the files that they name.

Implements `workers.ports.Configs`.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

import msgspec

from podwright.agent.configs import files
from podwright.agent.configs.addresses import pod_addresses
from podwright.agent.configs.container import ContainerConfigInputs, container_config, with_allotted
from podwright.agent.configs.devices import with_block_volumes
from podwright.agent.configs.dns import DnsWarning
from podwright.agent.configs.logs import pod_log_directory
from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.ports import (
    Allocations,
    CgroupParents,
    HandlerCapabilities,
    MountedVolumes,
    NoAllocations,
    NoServices,
    PodUserNamespaces,
    Services,
    StartImage,
    SubPaths,
)
from podwright.agent.configs.preparation import Instance, make_environment, make_mounts
from podwright.agent.configs.resolv_conf import LIMIT_BYTES, Resolver, parse_resolv_conf
from podwright.agent.configs.sandbox import SandboxConfigInputs, sandbox_config
from podwright.agent.configs.security import SecurityInputs, image_user, verify_non_root
from podwright.agent.configs.volumes import VolumeContent
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.reasons import CREATE_CONTAINER_CONFIG_ERROR, ContainerFailure
from podwright.agent.runtime.records import ObservedPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError
from podwright.k8s.objects import EphemeralContainer, Pod

Undo = Callable[[], Awaitable[None]]


class BuilderPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the builder needs of other rooms."""

    volumes: MountedVolumes
    subpaths: SubPaths
    objects: ObjectGetter
    cgroups: CgroupParents
    users: PodUserNamespaces
    handlers: HandlerCapabilities
    events: EventRecorder
    services: Services = msgspec.field(default_factory=NoServices)
    allocations: Allocations = msgspec.field(default_factory=NoAllocations)
    lifts_quota: Callable[[Pod], bool] = lambda _: False  # whether the pod has exclusive CPUs, and so no CPU quota


class ConfigBuilder:
    """Builds the messages of one pod at a time. Implements `workers.ports.Configs`."""

    def __init__(self, ports: BuilderPorts, facts: NodeFacts, settings: NodeSettings) -> None:
        self._ports = ports
        self._facts = facts
        self._settings = settings

    def addresses(self, pod: Pod, observed: ObservedPod) -> tuple[str, ...]:
        """The pod's addresses, the primary one first. The node's addresses for a pod on the node's network."""
        return pod_addresses(pod, observed, self._facts)

    def log_directory(self, pod: Pod) -> str:
        """The directory of the logs of the pod's containers."""
        return pod_log_directory(self._settings.log_root, pod)

    def sandbox(self, pod: Pod, attempt: int) -> api.PodSandboxConfig:
        """The config of a sandbox. Events report what had to be left out. Raises PodwrightError."""
        inputs = SandboxConfigInputs(
            attempt=attempt,
            facts=self._facts,
            settings=self._settings,
            host_resolver=self._host_resolver(),
            cgroup_parent=self._ports.cgroups.parent_of(pod),
            users=self._users(pod),
            extra_groups=_extra_groups(pod, self._ports.volumes.mounted(pod.metadata.uid).values()),
            lifts_quota=self._ports.lifts_quota(pod),
        )
        config, warnings = sandbox_config(pod, inputs)
        for warning in warnings:
            self._record(pod, warning)
        return config

    async def resources(self, pod: Pod, container: AnyContainer) -> api.LinuxContainerResources:
        """The resources that a container of this size gets. Raises PodwrightError."""
        allocation = await self._ports.allocations.of(pod, container)
        return with_allotted(pod, container, self._facts, self._settings, allocation)

    async def container(
        self, pod: Pod, container: AnyContainer, image: StartImage, observed: ObservedPod, attempt: int
    ) -> tuple[api.ContainerConfig, Undo]:
        """The config of a container, and a stack that undoes what was prepared for it.

        Raises ContainerFailure with reason CreateContainerConfigError. A failure leaves nothing.
        """
        async with AsyncExitStack() as made:
            try:
                instance = await self._instance(pod, container, image, observed)
                config = await self._config(instance, image, attempt, made)
            except PodwrightError as failure:
                raise ContainerFailure(container.name, CREATE_CONTAINER_CONFIG_ERROR, str(failure)) from failure
            except OSError as failure:
                text = f"cannot make {failure.filename or 'its files'}: {failure.strerror}"
                raise ContainerFailure(container.name, CREATE_CONTAINER_CONFIG_ERROR, text) from failure
            kept = made.pop_all()
        return config, kept.aclose

    async def _instance(self, pod: Pod, container: AnyContainer, image: StartImage, observed: ObservedPod) -> Instance:
        user = image_user(image.image)
        verify_non_root(pod, container, user)
        volumes = dict(self._ports.volumes.mounted(pod.metadata.uid))
        features = self._ports.handlers.features_of(pod)
        security = SecurityInputs(
            user=user,
            users=self._users(pod),
            extra_groups=_extra_groups(pod, volumes.values()),
            target_id=_target_id(container, observed),
            facts=self._facts,
            settings=self._settings,
        )
        return Instance(
            pod=pod,
            container=container,
            addresses=pod_addresses(pod, observed, self._facts),
            volumes=volumes,
            security=security,
            allocation=with_block_volumes(await self._ports.allocations.of(pod, container), volumes),
            can_recursive_read_only=features is not None and features.recursive_read_only_mounts,
        )

    async def _config(
        self, instance: Instance, image: StartImage, attempt: int, made: AsyncExitStack
    ) -> api.ContainerConfig:
        environment = await make_environment(instance, self._ports.objects, self._ports.services)
        mounts = await make_mounts(instance, environment, self._ports.subpaths, made)
        files.make_log_directory(f"{self.log_directory(instance.pod)}/{instance.container.name}")
        inputs = ContainerConfigInputs(
            attempt=attempt,
            image_reference=image.reference,
            environment=environment,
            mounts=mounts,
            security=instance.security,
            allocation=instance.allocation,
        )
        return container_config(instance.pod, instance.container, inputs)

    def _users(self, pod: Pod) -> PodUserNamespace | None:
        if pod.spec.host_users is not False:
            return None
        features = self._ports.handlers.features_of(pod)
        if features is None or not features.user_namespaces:
            message = "can't set `spec.hostUsers: false`, runtime does not support user namespaces"
            if features is not None and features.name:
                message = (
                    "can't set `spec.hostUsers: false`, "
                    f'RuntimeClass handler "{features.name}" does not support user namespaces'
                )
            raise FailedPrecondition(message, hint="use another runtime handler, or unset hostUsers")
        return self._ports.users.of(pod)

    def _host_resolver(self) -> Resolver:
        path = self._settings.resolver_config
        if not path:
            return Resolver()
        try:
            return _parsed(files.read_bytes(path, LIMIT_BYTES))
        except OSError as failure:
            raise FailedPrecondition(
                f"{path} cannot be read: {failure.strerror}", hint="set resolvConf to a resolv.conf that exists"
            ) from failure
        except InvalidArgument as failure:
            raise InvalidArgument(f"{path}: {failure.message}", hint="mend the file, or set resolvConf") from failure

    def _record(self, pod: Pod, warning: DnsWarning) -> None:
        if warning.about_node:
            self._ports.events.node("Warning", warning.reason, warning.message)
        else:
            self._ports.events.pod(pod, "Warning", warning.reason, warning.message)


@functools.lru_cache(maxsize=2)
def _parsed(resolv_conf: bytes) -> Resolver:
    """The parsed file, cached: it is read for each pod, and rarely changes."""
    return parse_resolv_conf(resolv_conf.decode(errors="replace"))


def _extra_groups(pod: Pod, volumes: Iterable[VolumeContent]) -> tuple[int, ...]:
    """The groups that volumes need in addition to the pod's."""
    context = pod.spec.security_context
    named = context.supplemental_groups if context is not None else ()
    return tuple(sorted({volume.gid for volume in volumes if volume.gid is not None} - set(named)))


def _target_id(container: AnyContainer, observed: ObservedPod) -> str:
    """The container whose processes an ephemeral container must see."""
    if not isinstance(container, EphemeralContainer) or not container.target_container_name:
        return ""
    target = observed.newest(container.target_container_name)
    if target is None:
        raise NotFound(f"unable to find target container {container.target_container_name}")
    return target.id
