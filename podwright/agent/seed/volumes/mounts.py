"""The mounts of one container: its volumes, its /etc/hosts, its termination message file.

`plan_mounts` is pure; `subPath` binds are listed in the plan and made by `subpath` before the container is.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.manifest.volume import VolumeMount
from podwright.agent.seed.orchestration.container import termination_file
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.environment import expand
from podwright.agent.seed.volumes.plan import VolumePlan
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.k8s.names import is_inner_path

ETC_HOSTS = "/etc/hosts"
PROPAGATIONS = {
    "None": api.MountPropagation.PROPAGATION_PRIVATE,
    "HostToContainer": api.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": api.MountPropagation.PROPAGATION_BIDIRECTIONAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubpathBind:
    """A bind that has to be there before the container is made."""

    volume: str
    subpath: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountsPlan:
    """The mounts for CreateContainer, and the binds that must be made before it."""

    mounts: tuple[api.Mount, ...]
    binds: tuple[SubpathBind, ...]


def plan_mounts(
    context: PodContext,
    container: Container,
    volumes: Mapping[str, VolumePlan],
    variables: Mapping[str, str | bytes],
    attempt: int,
) -> MountsPlan:
    """Mounts in the manifest's order. Raises InvalidArgument for a subPathExpr that leads out or names nothing."""
    mounts, binds = [], []
    for index, item in enumerate(container.volume_mounts):
        volume = volumes[item.name]
        host_path = volume.path
        subpath = _subpath(container, item, variables)
        if subpath:
            target = os.path.join(context.directory, "volume-subpaths", item.name, container.name, str(index))
            binds.append(SubpathBind(volume=volume.path, subpath=subpath, target=target))
            host_path = target
        mounts.append(
            api.Mount(
                container_path=posixpath.join("/", item.mount_path),
                host_path=host_path,
                readonly=item.read_only or volume.read_only,
                propagation=PROPAGATIONS[item.mount_propagation],
            )
        )
    taken = {posixpath.normpath(mount.container_path) for mount in mounts}
    if ETC_HOSTS not in taken:
        mounts.append(api.Mount(container_path=ETC_HOSTS, host_path=context.etc_hosts))
    message_path = container.termination_message_path
    if message_path and posixpath.normpath(message_path) not in taken:
        host_path = termination_file(context, container, attempt)
        mounts.append(api.Mount(container_path=message_path, host_path=host_path))
    return MountsPlan(mounts=tuple(mounts), binds=tuple(binds))


def _subpath(container: Container, item: VolumeMount, variables: Mapping[str, str | bytes]) -> str:
    if not item.sub_path_expr:
        return item.sub_path
    subpath = expand(item.sub_path_expr, variables)
    if "$(" in subpath or not is_inner_path(subpath):
        message = f"container {container.name}: subPathExpr {item.sub_path_expr!r} becomes {subpath!r}"
        raise InvalidArgument(message, hint="every variable must be set, and the path must stay inside")
    return subpath
