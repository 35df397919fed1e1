"""Plans the mounts of a container: those for CRI, and the subPaths to bind before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from podwright.agent.configs import hosts
from podwright.agent.configs.devices import HostMount
from podwright.agent.configs.expansion import expand_all
from podwright.agent.configs.namespaces import PodUserNamespace, id_mappings
from podwright.agent.configs.volumes import VolumeContent
from podwright.agent.pods.containers import AnyContainer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.k8s.names import backstep_faults
from podwright.k8s.objects import Pod, VolumeMount

PROPAGATIONS = {
    None: api.MountPropagation.PROPAGATION_PRIVATE,
    "None": api.MountPropagation.PROPAGATION_PRIVATE,
    "HostToContainer": api.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": api.MountPropagation.PROPAGATION_BIDIRECTIONAL,
}


class SubPath(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a volume, for the container's volume mount number `index`. `volume` is its name in the pod."""

    volume: str
    subpath: str
    index: int


class MountPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Mounts for CRI.

    `subpaths` has the subPaths to bind, by position in `mounts`, where the host path is still empty.
    """

    mounts: tuple[api.Mount, ...]
    subpaths: Mapping[int, SubPath]


class MountInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of mounts in addition to the container.

    `hosts_file` and `termination_file` are files on the host, empty if they must not be mounted.
    """

    volumes: Mapping[str, VolumeContent] = msgspec.field(default_factory=dict)
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    device_mounts: tuple[HostMount, ...] = ()
    hosts_file: str = ""
    termination_file: str = ""
    users: PodUserNamespace | None = None
    can_recursive_read_only: bool = False
    has_selinux: bool = False


def wants_hosts_file(pod: Pod, container: AnyContainer, addresses: Iterable[str]) -> bool:
    """Whether the container gets the pod's /etc/hosts. It does not when it mounts that path itself."""
    if any(mount.mount_path == hosts.PATH for mount in container.volume_mounts):
        return False
    return pod.spec.host_network or bool(tuple(addresses))


def plan_mounts(container: AnyContainer, inputs: MountInputs) -> MountPlan:
    """Mounts for devices, volumes, /etc/hosts and the termination message, in this order.

    Raises InvalidArgument, NotFound for a volume that is not mounted, FailedPrecondition if the runtime lacks a
    feature.
    """
    mounts = [_device_mount(mount) for mount in inputs.device_mounts]
    subpaths = {}
    for index, wanted in enumerate(container.volume_mounts):
        mount, subpath = _volume_mount(container, wanted, inputs)
        if subpath:
            subpaths[len(mounts)] = SubPath(volume=wanted.name, subpath=subpath, index=index)
        mounts.append(mount)
    files = ((inputs.hosts_file, hosts.PATH), (inputs.termination_file, container.termination_message_path))
    mounts += [
        api.Mount(host_path=file, container_path=_absolute(path), selinux_relabel=inputs.has_selinux)
        for file, path in files
        if file
    ]
    for mount in mounts:
        mount.uidMappings.extend(id_mappings(inputs.users))
        mount.gidMappings.extend(id_mappings(inputs.users))
    return MountPlan(mounts=tuple(mounts), subpaths=subpaths)


def _device_mount(mount: HostMount) -> api.Mount:
    return api.Mount(host_path=mount.host_path, container_path=mount.container_path, readonly=mount.read_only)


def _volume_mount(container: AnyContainer, wanted: VolumeMount, inputs: MountInputs) -> tuple[api.Mount, str]:
    """The mount, and the subPath to bind for it."""
    volume = inputs.volumes.get(wanted.name)
    if volume is None or not (volume.path or volume.image):
        raise NotFound(f'cannot find volume "{wanted.name}" to mount into container "{container.name}"')
    subpath = _subpath(wanted, inputs.environment)
    mount = api.Mount(
        container_path=_absolute(wanted.mount_path),
        readonly=wanted.read_only or volume.read_only,
        recursive_read_only=_recursive_read_only(wanted, can=inputs.can_recursive_read_only),
        selinux_relabel=volume.selinux_relabel and inputs.has_selinux,
        propagation=_propagation(wanted.mount_propagation),
    )
    if volume.image:
        mount.image.image, mount.image_sub_path = volume.image, subpath
        return mount, ""
    if not subpath:
        mount.host_path = volume.path
    return mount, subpath


def _subpath(wanted: VolumeMount, environment: Mapping[str, str]) -> str:
    subpath = expand_all(wanted.sub_path_expr, environment) if wanted.sub_path_expr else wanted.sub_path
    if subpath.startswith("/"):
        raise InvalidArgument(f"error SubPath `{subpath}` must not be an absolute path")
    if faults := list(backstep_faults(subpath)):
        raise InvalidArgument(f"unable to provision SubPath `{subpath}`: {faults[0]}")
    return subpath


def _propagation(mode: str | None) -> api.MountPropagation:
    if mode not in PROPAGATIONS:
        raise InvalidArgument(f'invalid MountPropagation mode: "{mode}"')
    return PROPAGATIONS[mode]


def _recursive_read_only(wanted: VolumeMount, *, can: bool) -> bool:
    mode = wanted.recursive_read_only
    if mode in (None, "Disabled"):
        return False
    what = f'volume "{wanted.name}" requested recursive read-only mode, but it is not'
    if not wanted.read_only:
        raise InvalidArgument(f"{what} read-only")
    if wanted.mount_propagation not in (None, "None"):
        raise InvalidArgument(f'{what} compatible with propagation "{wanted.mount_propagation}"')
    if mode == "IfPossible":
        return can
    if mode != "Enabled":
        raise InvalidArgument(f'unknown recursive read-only mode "{mode}"')
    if not can:
        raise FailedPrecondition(f"{what} supported by the runtime", hint="use recursiveReadOnly: IfPossible")
    return True


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
