"""Prepares what one instance of a container needs: its environment, its mounts, and their files."""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec

from podwright.agent.configs import files, hosts
from podwright.agent.configs.devices import Allocation
from podwright.agent.configs.environment import Environment, EnvironmentSources, container_environment
from podwright.agent.configs.hostname import pod_names
from podwright.agent.configs.mounts import MountInputs, plan_mounts, wants_hosts_file
from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.objects import gather
from podwright.agent.configs.ports import Services, SubPaths
from podwright.agent.configs.security import SecurityInputs
from podwright.agent.configs.volumes import VolumeContent
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.places import file_name, pod_directory
from podwright.agent.pods.references import container_references
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound
from podwright.k8s.objects import FileKeySelector, Pod
from podwright.linux.files import remove_file

Volumes = dict[str, VolumeContent]


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """The container to start, and the facts about its pod. `addresses` are the pod's."""

    pod: Pod
    container: AnyContainer
    addresses: tuple[str, ...]
    volumes: Volumes
    security: SecurityInputs
    allocation: Allocation
    can_recursive_read_only: bool

    @property
    def facts(self) -> NodeFacts:
        """The machine."""
        return self.security.facts

    @property
    def settings(self) -> NodeSettings:
        """The node's settings."""
        return self.security.settings

    @property
    def pod_directory(self) -> str:
        """The pod's own directory on the host."""
        return pod_directory(self.settings.root, self.pod.metadata.uid)


async def make_environment(instance: Instance, objects: ObjectGetter, services: Services) -> Environment:
    """The container's variables, after those of its devices. Raises PodwrightError."""
    snapshot = await gather(
        instance.pod, objects, references=container_references(instance.container), services=services.listed()
    )
    sources = EnvironmentSources(
        objects=snapshot,
        facts=instance.facts,
        addresses=instance.addresses,
        file_value=lambda reference: _file_value(reference, instance.volumes),
    )
    return {
        **instance.allocation.environment,
        **container_environment(instance.pod, instance.container, sources),
    }


async def make_mounts(
    instance: Instance, environment: Environment, subpaths: SubPaths, made: AsyncExitStack
) -> tuple[api.Mount, ...]:
    """The container's mounts. `made` undoes what is made for this instance only. Raises PodwrightError and OSError."""
    container = instance.container
    inputs = MountInputs(
        volumes=instance.volumes,
        environment=environment,
        device_mounts=instance.allocation.mounts,
        hosts_file=_make_hosts(instance),
        termination_file=_make_termination_file(instance, made),
        users=instance.security.users,
        can_recursive_read_only=instance.can_recursive_read_only,
        has_selinux=instance.facts.has_selinux,
    )
    plan = plan_mounts(container, inputs)
    for position, part in plan.subpaths.items():
        plan.mounts[position].host_path = await subpaths.bind_subpath(
            instance.pod, part.volume, part.subpath, container=container.name, index=part.index
        )
    return plan.mounts


def _file_value(reference: FileKeySelector, volumes: Volumes) -> str:
    volume = volumes.get(reference.volume_name)
    if volume is None or not volume.path:
        raise NotFound(f'cannot find the volume "{reference.volume_name}" referenced by FileKeyRef')
    return files.read_variable(volume.path, reference.path, reference.key)


def _make_hosts(instance: Instance) -> str:
    """Write the pod's /etc/hosts. Returns its path, or an empty text for a container that does not mount it."""
    pod = instance.pod
    if not wants_hosts_file(pod, instance.container, instance.addresses):
        return ""
    if pod.spec.host_network:
        contents = hosts.host_network_hosts(files.read_bytes(hosts.PATH, files.HOSTS_LIMIT), pod.spec.host_aliases)
    else:
        names = pod_names(pod, instance.settings.cluster_domain)
        contents = hosts.pod_hosts(names, instance.addresses, pod.spec.host_aliases)
    path = files.hosts_path(instance.pod_directory)
    files.write_hosts(path, contents)
    return path


def _make_termination_file(instance: Instance, made: AsyncExitStack) -> str:
    container = instance.container
    if not container.termination_message_path:
        return ""
    path = files.make_termination_file(instance.pod_directory, file_name(container.name))
    made.callback(remove_file, path)
    return path
