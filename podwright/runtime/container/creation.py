"""CreateContainer: from a config to a bundle that can be started. No process runs yet."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.files import write_new
from podwright.runtime.container import (
    devices,
    image_directories,
    place,
    sources,
    staging,
    targets,
    volumes,
)
from podwright.runtime.container.editing import Spec
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.paths import log_file
from podwright.runtime.model.base import NamespaceMode, Resources
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState, User
from podwright.runtime.model.ids import ContainerId, new_id
from podwright.runtime.model.image import Image
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.oci_spec import builder, signals
from podwright.runtime.oci_spec.builder import SpecInputs
from podwright.runtime.oci_spec.cgroups import cgroup_directory, cgroups_path
from podwright.runtime.oci_spec.mounts import SandboxFiles
from podwright.runtime.oci_spec.names import NAMESPACE_TYPES
from podwright.runtime.oci_spec.user import resolve
from podwright.runtime.sandbox import files
from podwright.runtime.sandbox.place import root_on_host
from podwright.runtime.security import relabelling, selinux
from podwright.runtime.security.profiles import localhost_profile
from podwright.timeline import Step

log = logging.getLogger(__name__)

HOST_SHM = "/dev/shm"  # noqa: S108 # the host's own, for pods in its IPC namespace


async def create(
    env: ContainerEnvironment, sandbox: Sandbox, config: ContainerConfig, kept: place.Kept | None = None
) -> ContainerId:
    """Make the container; its record is CREATED then. Whatever was made is undone when a step fails.

    Raises NotFound for the image, InvalidArgument and FailedPrecondition for the config, and OSError.
    """
    if env.sandboxes.get(sandbox.id).state is not SandboxState.READY:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready", hint="make a new sandbox")
    _check_handlers(env, config)
    image = env.images.runnable(config.image.image)
    handler = env.handlers.get(sandbox.handler)
    resources = env.limits(handler, config.resources)
    container_id = ContainerId(new_id())
    record = _record(env, container_id, sandbox, config, image, resources)
    handler.check(env.bundle(record))
    container = env.store.put(msgspec.structs.replace(record, is_restored=kept is not None))
    paths = env.paths(container_id)
    try:
        held = volumes.hold(env.images, container)
        target_pid = await targets.pid_of(env, sandbox, config)
        profile = await env.apparmor.profile(config.security)
        joined = Joined(target_pid=target_pid, apparmor_profile=profile, kept=kept)
        user, spec = await asyncio.to_thread(_make, env, container, sandbox, image, held, joined)
        for edit in (*env.edits, handler.edit):
            await edit(spec, container)
        write_new(paths.spec, msgspec.json.encode(spec), mode=0o600)  # it holds the environment
        env.store.put(msgspec.structs.replace(container, state=ContainerState.CREATED, user=user))
    except BaseException:
        await asyncio.shield(asyncio.to_thread(place.unmake, paths))
        env.images.release(container_id)
        env.store.delete(container_id)
        raise
    log.info("container is created: id=%s name=%s sandbox=%s", container_id[:12], config.name, sandbox.id[:12])
    return container_id


def _check_handlers(env: ContainerEnvironment, config: ContainerConfig) -> None:
    """Those that the image specs name have to be there, as in a pull. Raises InvalidArgument."""
    for spec in (config.image, *(mount.image for mount in config.mounts)):
        if spec is not None and spec.runtime_handler:
            env.handlers.get(spec.runtime_handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What the container goes into: a process' PID namespace (0: none of the kind), a profile of AppArmor (or "").

    And what is kept of another container that it goes on from.
    """

    target_pid: int
    apparmor_profile: str
    kept: place.Kept | None


def _record(
    env: ContainerEnvironment,
    container_id: ContainerId,
    sandbox: Sandbox,
    config: ContainerConfig,
    image: Image,
    resources: Resources,
) -> Container:
    return Container(
        id=container_id,
        sandbox_id=sandbox.id,
        config=config,
        state=ContainerState.CREATING,
        created_at=env.store.now(),
        image_id=image.id,
        image_name=image.repo_tags[0] if image.repo_tags else config.image.user_specified_image or config.image.image,
        image_ref=image.repo_digests[0] if image.repo_digests else image.id,
        volume_images=volumes.find(env.images, config),
        log_path=log_file(sandbox.config.log_directory, config.log_path),
        user=User(uid=0, gid=0),
        stop_signal=_stop_signal(config, image),
        cgroup=cgroup_directory(sandbox.cgroup_parent, container_id, systemd=env.systemd),
        resources=resources,
    )


def _stop_signal(config: ContainerConfig, image: Image) -> int:
    """The kernel's number. Raises InvalidArgument, which names whose signal it is."""
    try:
        return signals.stop_signal(config.stop_signal, image.config.stop_signal)
    except InvalidArgument as failure:
        name = config.image.user_specified_image or config.image.image
        raise InvalidArgument(
            f"container {config.name} of image {name}: {failure.message}",
            hint="mend the image's STOPSIGNAL, or give the container a stop signal",
        ) from failure


def _make(
    env: ContainerEnvironment,
    container: Container,
    sandbox: Sandbox,
    image: Image,
    held: volumes.Held,
    joined: Joined,
) -> tuple[User, Spec]:
    """The blocking part: root filesystem, user, spec. Runs in a thread."""
    paths = env.paths(container.id)
    own = selinux.of_container(env.host.selinux, sandbox, container.config)
    label = str(own.file) if own is not None else ""
    user_namespace = env.sandboxes.pins(sandbox).get("user", "")
    with Step("root filesystem"), staging.mapped_layers(paths, held, user_namespace) as layers:
        place.make(paths, layers.root, group=root_on_host(sandbox.config)[1], label=label, kept=joined.kept)
        config = volumes.mount_all(paths, container.config, layers.volumes, label=label)
    places = image_directories.wanted(image.config.volumes, config.mounts)
    own_mounts = image_directories.make(paths.rootfs, places, root_on_host(sandbox.config))
    if config.security.readonly_rootfs:
        config = msgspec.structs.replace(config, mounts=(*config.mounts, *own_mounts))
    mounted = msgspec.structs.replace(container, config=config)
    passwd, group = place.read_users(paths.rootfs)
    user = resolve(container.config.security, image.config.user, passwd, group)
    inputs = _inputs(env, mounted, sandbox, image, user, joined)
    return user, builder.build(inputs)


def _inputs(
    env: ContainerEnvironment,
    container: Container,
    sandbox: Sandbox,
    image: Image,
    user: User,
    joined: Joined,
) -> SpecInputs:
    config = container.config
    paths = env.paths(container.id)
    own = selinux.of_container(env.host.selinux, sandbox, config)
    found = sources.resolve(config, ours=(env.root, env.state))
    relabelling.relabel(config.name, found, own)
    image_directories.make_mount_points(paths.rootfs, found, root_on_host(sandbox.config))
    mounts = staging.prepare(paths, found, sandbox, env.sandboxes.pins(sandbox).get("user", ""))
    resolved = msgspec.structs.replace(config, mounts=mounts)
    pins = {NAMESPACE_TYPES[kind]: path for kind, path in env.sandboxes.pins(sandbox).items()}
    namespaces = builder.namespace_paths(
        sandbox,
        config,
        pins,
        target_pid=joined.target_pid,
        private_cgroup=env.cgroups.layout == "v2",
    )
    security = config.security
    profile = None if security.privileged else localhost_profile(f"container {config.name}", security.seccomp)
    return SpecInputs(
        config=resolved,
        image=image.config,
        sandbox=sandbox,
        user=user,
        rootfs=paths.rootfs,
        hostname=files.hostname(sandbox.config, socket.gethostname()),
        cgroups_path=cgroups_path(sandbox.cgroup_parent, container.id, systemd=env.systemd),
        namespaces=namespaces,
        files=_sandbox_files(env, sandbox, staging.host_sys(paths, sandbox)),
        host=env.host,
        resources=container.resources,
        default_profile=env.default_profile,
        localhost_profile=profile,
        apparmor_profile=joined.apparmor_profile,
        selinux=own,
        devices=devices.resolve(config, owned_by_user=env.settings.device_ownership_from_security_context),
    )


def _sandbox_files(env: ContainerEnvironment, sandbox: Sandbox, host_sys: str) -> SandboxFiles:
    paths = env.sandboxes.paths(sandbox.id)
    own_ipc = sandbox.config.security.namespaces.ipc is not NamespaceMode.NODE
    return SandboxFiles(
        hostname=paths.hostname,
        hosts=paths.hosts,
        resolv_conf=paths.resolv_conf,
        shm=paths.shm if own_ipc else HOST_SHM,
        sys=host_sys,
    )
