"""CreateContainer: makes a bundle that can be started from a config. No process runs yet."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.files import write_new
from podwright.linux.selinux import Contexts
from podwright.runtime.container import targets, validate
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.filesystem import devices, image_volumes
from podwright.runtime.container.filesystem.paths import log_file
from podwright.runtime.container.filesystem.root import (
    PreparedMounts,
    RestoredContent,
    Root,
    make_root,
    prepare_mounts,
    unmake,
)
from podwright.runtime.model.base import NamespaceMode, Resources
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState, User
from podwright.runtime.model.ids import ContainerId, new_id
from podwright.runtime.model.image import Image
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.oci_spec import builder, signals
from podwright.runtime.oci_spec.builder import HostDevice, SpecInputs
from podwright.runtime.oci_spec.cgroups import cgroup_directory, cgroups_path
from podwright.runtime.oci_spec.mounts import SandboxFiles
from podwright.runtime.oci_spec.names import NAMESPACE_TYPES
from podwright.runtime.sandbox import files
from podwright.runtime.sandbox.host_parts import root_on_host
from podwright.runtime.security import selinux
from podwright.runtime.security.profiles import localhost_profile

log = logging.getLogger(__name__)

HOST_SHM = "/dev/shm"  # noqa: S108 # the host's own, for pods in its IPC namespace


async def create(
    env: ContainerEnvironment,
    sandbox: Sandbox,
    config: ContainerConfig,
    restored: RestoredContent | None = None,
) -> ContainerId:
    """Make the container and set its record to CREATED. If a step fails, undo the earlier ones.

    Raises NotFound for the image, InvalidArgument and FailedPrecondition for the config, and OSError.
    """
    async with env.life.held():
        return await _create(env, sandbox, config, restored)


async def _create(
    env: ContainerEnvironment, sandbox: Sandbox, config: ContainerConfig, restored: RestoredContent | None
) -> ContainerId:
    if env.sandboxes.get(sandbox.id).state is not SandboxState.READY:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready", hint="create a new sandbox")
    validate.check_image_handlers(config, env.handlers.get)
    image = env.images.runnable(config.image.image)
    handler = env.handlers.get(sandbox.handler)
    resources = env.limits(handler, config.resources)
    container_id = ContainerId(new_id())
    record = msgspec.structs.replace(
        new_record(container_id, sandbox, config, image, created_at=env.store.now(), resources=resources),
        volume_images=image_volumes.find(env.images, config),
        cgroup=cgroup_directory(sandbox.cgroup_parent, container_id, systemd=env.systemd),
    )
    handler.check(env.bundle(record))
    container = env.store.put(msgspec.structs.replace(record, is_restored=restored is not None))
    paths = env.paths(container_id)
    try:
        creation = await _decide(env, container, sandbox, image, restored)
        prepared = await asyncio.to_thread(_prepare, env, creation)
        spec = builder.build(spec_inputs(env, creation, prepared))
        for edit in env.edits:
            await edit(spec, sandbox, container)
        if env.life:
            container = await env.life.create_container(spec, sandbox, container)
        await handler.edit(spec, container)
        write_new(paths.spec, msgspec.json.encode(spec), mode=0o600)  # the environment in it may hold secrets
        created = env.store.put(
            msgspec.structs.replace(container, state=ContainerState.CREATED, user=prepared.root.user)
        )
    except BaseException:
        await asyncio.shield(asyncio.to_thread(unmake, paths))
        env.images.release(container_id)
        env.store.delete(container_id)
        raise
    if env.life:
        await env.life.container_created(sandbox, created)
    log.info("container is created: id=%s name=%s sandbox=%s", container_id[:12], config.name, sandbox.id[:12])
    return container_id


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """A container to create, with everything that is decided before anything of it is made.

    `container` is its record. `held` are the trees of its images. `target_pid` is the process whose PID namespace the
    container joins, or 0. `pins` are the sandbox's own namespaces by kind.
    """

    container: Container
    sandbox: Sandbox
    image: Image
    held: image_volumes.Held
    restored: RestoredContent | None  # of a checkpoint
    target_pid: int
    apparmor_profile: str  # empty: none
    labels: Contexts | None  # None on a host without SELinux
    pins: dict[str, str]

    @property
    def user_namespace(self) -> str:
        """The path of the pod's user namespace. Empty if the pod uses the host's."""
        return self.pins.get("user", "")


async def _decide(
    env: ContainerEnvironment,
    container: Container,
    sandbox: Sandbox,
    image: Image,
    restored: RestoredContent | None,
) -> Creation:
    return Creation(
        container=container,
        sandbox=sandbox,
        image=image,
        held=image_volumes.hold(env.images, container),
        restored=restored,
        target_pid=await targets.pid_of(env, sandbox, container.config),
        apparmor_profile=await env.apparmor.profile(container.config.security),
        labels=selinux.of_container(env.host.selinux, sandbox, container.config),
        pins=env.sandboxes.pins(sandbox),
    )


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What is made on the host for the spec, and read from it."""

    root: Root
    mounts: PreparedMounts
    devices: tuple[HostDevice, ...]
    seccomp_profile: dict[str, Any] | None  # from the file in the request
    hostname: str


def new_record(
    container_id: ContainerId,
    sandbox: Sandbox,
    config: ContainerConfig,
    image: Image,
    *,
    created_at: int,
    resources: Resources,
) -> Container:
    """The record of a container before anything of it is made. Raises InvalidArgument for its stop signal or log."""
    return Container(
        id=container_id,
        sandbox_id=sandbox.id,
        config=config,
        state=ContainerState.CREATING,
        created_at=created_at,
        image_id=image.id,
        image_name=image.repo_tags[0] if image.repo_tags else config.image.user_specified_image or config.image.image,
        image_ref=image.repo_digests[0] if image.repo_digests else image.id,
        log_path=log_file(sandbox.config.log_directory, config.log_path),
        user=User(uid=0, gid=0),
        stop_signal=stop_signal(config, image),
        cgroup="",
        resources=resources,
    )


def stop_signal(config: ContainerConfig, image: Image) -> int:
    """The signal as the kernel's number. Raises InvalidArgument that names where the signal comes from."""
    try:
        return signals.stop_signal(config.stop_signal, image.config.stop_signal)
    except InvalidArgument as failure:
        name = config.image.user_specified_image or config.image.image
        raise InvalidArgument(
            f"container {config.name} of image {name}: {failure.message}",
            hint="correct the image's STOPSIGNAL, or set a stop signal for the container",
        ) from failure


def _prepare(env: ContainerEnvironment, creation: Creation) -> Prepared:
    """The blocking part, run in a thread: the root, the mounts, and what else the spec needs from the host."""
    container, sandbox, labels = creation.container, creation.sandbox, creation.labels
    paths, config = env.paths(container.id), container.config
    root = make_root(
        paths,
        config,
        creation.image.config,
        creation.held,
        restored=creation.restored,
        owner=root_on_host(sandbox.config),
        label=str(labels.file) if labels is not None else "",
        user_namespace=creation.user_namespace,
    )
    mounts = prepare_mounts(
        paths, root, sandbox, ours=(env.root, env.state), labels=labels, user_namespace=creation.user_namespace
    )
    security = config.security
    return Prepared(
        root=root,
        mounts=mounts,
        devices=devices.resolve(config, owned_by_user=env.settings.device_ownership_from_security_context),
        seccomp_profile=(
            None if security.privileged else localhost_profile(f"container {config.name}", security.seccomp)
        ),
        hostname=files.hostname(sandbox.config, socket.gethostname()),
    )


def spec_inputs(env: ContainerEnvironment, creation: Creation, prepared: Prepared) -> SpecInputs:
    """Everything that the spec depends on. Pure. Raises InvalidArgument for namespaces that cannot be joined."""
    container, sandbox, root = creation.container, creation.sandbox, prepared.root
    policy = env.handlers.get(sandbox.handler).capabilities.policy
    return SpecInputs(
        config=msgspec.structs.replace(container.config, mounts=prepared.mounts.mounts),
        image=creation.image.config,
        sandbox=sandbox,
        user=root.user,
        rootfs=root.path,
        hostname=prepared.hostname,
        cgroups_path=cgroups_path(sandbox.cgroup_parent, container.id, systemd=env.systemd),
        namespaces=builder.namespace_paths(
            sandbox,
            container.config,
            {NAMESPACE_TYPES[kind]: path for kind, path in creation.pins.items()},
            target_pid=creation.target_pid,
            private_cgroup=env.cgroups.layout == "v2",
        ),
        files=_sandbox_files(env, sandbox, prepared.mounts.sys),
        host=env.host,
        resources=container.resources,
        default_profile=policy.seccomp or env.default_profile,
        localhost_profile=prepared.seccomp_profile,
        apparmor_profile=creation.apparmor_profile,
        selinux=creation.labels,
        devices=prepared.devices,
        annotations=policy.allowed({**sandbox.config.annotations, **container.config.annotations}),
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
