"""What an Engine cannot do. A request for it gets an error, because the pod would run otherwise than it asks. Pure.

docs/docker.md has the table.
"""

from __future__ import annotations

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError, Unknown
from podwright.runtime import classes
from podwright.runtime.cdi import names as cdi_names
from podwright.runtime.container.filesystem import image_volumes
from podwright.runtime.model.base import NamespaceMode, ProfileType, Resources, SecurityProfile, check_ids
from podwright.runtime.model.container import ContainerConfig, ContainerSecurity, GroupsPolicy, Mount
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig
from podwright.runtime.oci_spec.mounts import ALLOWED_OPTIONS

INSTEAD = 'use engine = "native" for such pods'


def check_sandbox(config: SandboxConfig, security: frozenset[str]) -> None:
    """Raises FailedPrecondition. `security` are the Engine's security options."""
    label = f"sandbox {config.name.namespace}/{config.name.name}"
    if config.security.namespaces.own_user is not None:
        raise _cannot(label, "has one user namespace for all containers, and none for a pod")
    _check_apparmor(label, config.security.apparmor, security)


def check_container(sandbox: Sandbox, config: ContainerConfig, security: frozenset[str]) -> None:
    """Raises FailedPrecondition, InvalidArgument, and Unknown with CRI's sentinels."""
    label = f"container {config.name}"
    wanted = config.security
    if wanted.namespaces.own_user is not None:
        raise _cannot(label, "has one user namespace for all containers, and none for a pod")
    if wanted.add_ambient_capabilities:
        raise _cannot(label, "has no ambient capabilities")
    if wanted.groups_policy is GroupsPolicy.STRICT:
        raise _cannot(label, "always adds the groups of the image (supplementalGroupsPolicy Strict)")
    if wanted.run_as_group is not None and wanted.run_as_user is None and not wanted.run_as_username:
        raise InvalidArgument("run_as_group is given without run_as_user or run_as_username")
    if cdi_names.requested(config.cdi_devices, config.annotations):
        raise _cannot(label, "gets no CDI devices from Podwright")
    if classes.requested(config.name, sandbox.config.annotations, config.annotations):
        raise _cannot(label, "knows no classes of Block I/O or RDT")
    if wanted.privileged and not sandbox.config.security.privileged:
        raise InvalidArgument(f"{label} is privileged, but its sandbox is not")
    check_ids(label, wanted.run_as_user, wanted.run_as_group, *wanted.supplemental_groups)
    _check_namespaces(label, sandbox.config, wanted)
    _check_apparmor(label, wanted.apparmor, security)
    for mount in config.mounts:
        _check_mount(config.name, mount)


def check_resources(label: str, resources: Resources) -> None:
    """Raises FailedPrecondition for granted limits that the Engine has no fields for."""
    if any(limit > 0 for _, limit in resources.hugepage_limits):
        raise _cannot(label, "has no limits for huge pages")
    if resources.unified:
        raise _cannot(label, "writes no files of cgroup v2 (unified)")


def _check_namespaces(label: str, pod: SandboxConfig, wanted: ContainerSecurity) -> None:
    """A container that asks for the pod's namespace gets it, also where that is the host's."""
    own, theirs = wanted.namespaces, pod.security.namespaces
    for kind in ("network", "ipc"):
        if getattr(own, kind) is NamespaceMode.NODE and getattr(theirs, kind) is not NamespaceMode.NODE:
            raise InvalidArgument(f"{label}: its {kind} namespace must be the pod's")


def _check_apparmor(label: str, profile: SecurityProfile | None, security: frozenset[str]) -> None:
    if profile is not None and profile.kind is ProfileType.LOCALHOST and "apparmor" not in security:
        raise FailedPrecondition(f"{label}: the Docker Engine has no AppArmor on this host")


def _check_mount(name: str, mount: Mount) -> None:
    label = f"container {name}: mount {mount.container_path[:200]}"
    if unknown := set(mount.options) - ALLOWED_OPTIONS:
        raise InvalidArgument(f"{label}: unknown mount option {min(unknown)[:80]!r}")
    if mount.image is not None:
        raise image_volumes.failed(name, mount, f"the Docker Engine mounts no images: {INSTEAD}")
    if mount.recursive_read_only:
        raise Unknown(f"RROUnsupported: {label}: the Docker Engine's runtime handlers have no recursive read-only")
    if mount.uid_mappings or mount.gid_mappings:
        raise _cannot(label, "maps no owners of mounts (idmap)")
    if mount.selinux_relabel and ":" in mount.host_path + mount.container_path:
        raise InvalidArgument(f"{label}: the Docker Engine cannot relabel a path with a colon")
    if mount.options:
        raise _cannot(label, "takes no mount options")


def _cannot(label: str, what: str) -> PodwrightError:
    return FailedPrecondition(f"{label}: the Docker Engine {what}", hint=INSTEAD)
