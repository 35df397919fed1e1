"""Conversion between protobuf and the model: containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.model.container import (
    Container,
    ContainerConfig,
    ContainerSecurity,
    ContainerState,
    Device,
    GroupsPolicy,
    ImageSpec,
    Mount,
    Propagation,
)
from podwright.runtime.oci_spec import signals
from podwright.runtime.rpc import convert_base as base

STATES = {
    ContainerState.CREATED: api.CONTAINER_CREATED,
    ContainerState.RUNNING: api.CONTAINER_RUNNING,
    ContainerState.EXITED: api.CONTAINER_EXITED,
}


def config(message: api.ContainerConfig) -> ContainerConfig:
    """CRI's ContainerConfig. Raises InvalidArgument."""
    if not message.HasField("metadata"):
        raise InvalidArgument("container config: metadata is missing")
    if not message.HasField("image"):
        raise InvalidArgument("container config: image is missing")
    base.refuse_windows(message, "container config")
    return ContainerConfig(
        name=message.metadata.name,
        attempt=message.metadata.attempt,
        image=image_spec(message.image),
        command=tuple(message.command),
        args=tuple(message.args),
        working_dir=message.working_dir,
        # An OCI spec is JSON, which cannot hold other bytes. containerd and CRI-O replace them as well.
        envs=tuple((env.key, env.value.decode(errors="replace")) for env in message.envs),
        mounts=tuple(_mount(mount) for mount in message.mounts),
        devices=tuple(
            Device(container_path=d.container_path, host_path=d.host_path, permissions=d.permissions or "rwm")
            for d in message.devices
        ),
        cdi_devices=tuple(device.name for device in message.CDI_devices),
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        log_path=message.log_path,
        stdin=message.stdin,
        stdin_once=message.stdin_once,
        tty=message.tty,
        resources=base.resources(message.linux.resources),
        security=_security(message.linux.security_context),
        stop_signal=message.stop_signal,
    )


def image_spec(message: api.ImageSpec) -> ImageSpec:
    """CRI's ImageSpec."""
    return ImageSpec(
        image=message.image,
        annotations=dict(message.annotations),
        user_specified_image=message.user_specified_image,
        runtime_handler=message.runtime_handler,
        image_ref=message.image_ref,
    )


def _mount(message: api.Mount) -> Mount:
    return Mount(
        container_path=message.container_path,
        host_path=message.host_path,
        readonly=message.readonly,
        recursive_read_only=message.recursive_read_only,
        selinux_relabel=message.selinux_relabel,
        propagation=base.enum_of(Propagation, message.propagation, "mounts.propagation"),
        uid_mappings=base.id_mappings(message.uidMappings),
        gid_mappings=base.id_mappings(message.gidMappings),
        image=image_spec(message.image) if message.HasField("image") else None,
        image_sub_path=message.image_sub_path,
        options=tuple(message.mount_options),
    )


def _security(message: api.LinuxContainerSecurityContext) -> ContainerSecurity:
    policy = message.supplemental_groups_policy
    return ContainerSecurity(
        add_capabilities=tuple(message.capabilities.add_capabilities),
        drop_capabilities=tuple(message.capabilities.drop_capabilities),
        add_ambient_capabilities=tuple(message.capabilities.add_ambient_capabilities),
        privileged=message.privileged,
        namespaces=base.namespaces(message.namespace_options),
        selinux=base.selinux(message),
        run_as_user=base.optional_int(message, "run_as_user"),
        run_as_group=base.optional_int(message, "run_as_group"),
        run_as_username=message.run_as_username,
        readonly_rootfs=message.readonly_rootfs,
        supplemental_groups=tuple(message.supplemental_groups),
        groups_policy=base.enum_of(GroupsPolicy, policy, "supplemental_groups_policy"),
        no_new_privs=message.no_new_privs,
        masked_paths=tuple(message.masked_paths),
        readonly_paths=tuple(message.readonly_paths),
        seccomp=base.profile(message, "seccomp", message.seccomp_profile_path),
        apparmor=base.profile(message, "apparmor", message.apparmor_profile),
    )


def image_spec_message(spec: ImageSpec) -> api.ImageSpec:
    """CRI's ImageSpec, from the model."""
    return api.ImageSpec(
        image=spec.image,
        annotations=spec.annotations,
        user_specified_image=spec.user_specified_image,
        runtime_handler=spec.runtime_handler,
        image_ref=spec.image_ref,
    )


def item(container: Container) -> api.Container:
    """CRI's Container, an element of a list."""
    return api.Container(
        id=container.id,
        pod_sandbox_id=container.sandbox_id,
        metadata=api.ContainerMetadata(name=container.config.name, attempt=container.config.attempt),
        image=image_spec_message(container.config.image),
        image_ref=container.image_id,
        state=STATES[container.state],
        created_at=container.created_at,
        labels=container.config.labels,
        annotations=container.config.annotations,
        image_id=container.image_id,
    )


def status(container: Container) -> api.ContainerStatus:
    """CRI's ContainerStatus."""
    config = container.config
    message = api.ContainerStatus(
        id=container.id,
        metadata=api.ContainerMetadata(name=config.name, attempt=config.attempt),
        state=STATES[container.state],
        created_at=container.created_at,
        started_at=container.started_at,
        finished_at=container.finished_at,
        exit_code=container.exit_code,
        image=image_spec_message(config.image),
        image_ref=container.image_ref,
        reason=container.reason,
        message=container.message,
        labels=config.labels,
        annotations=config.annotations,
        mounts=_mount_messages(container),
        log_path=container.log_path,
        image_id=container.image_id,
        stop_signal=signals.cri_number_of(container.stop_signal),  # type: ignore[arg-type] # enums are numbers
    )
    message.image.image = container.image_name
    message.resources.linux.CopyFrom(base.resources_message(container.resources))
    user = message.user.linux
    user.uid, user.gid = container.user.uid, container.user.gid
    user.supplemental_groups.extend(container.user.groups)
    return message


def statuses(inside: Iterable[Container]) -> list[api.ContainerStatus]:
    """The statuses of a pod's visible containers, newest first.

    A kubelet with evented PLEG does not sort PodSandboxStatus: it takes the first container of a name as the newest.
    """
    shown = (container for container in inside if container.state is not ContainerState.CREATING)
    return [status(each) for each in sorted(shown, key=lambda container: container.created_at, reverse=True)]


def _mount_messages(container: Container) -> list[api.Mount]:
    """The mounts of the request. A mount of an image also names the image that was resolved."""
    image_ids = iter(container.volume_images)
    messages = [_mount_message(mount) for mount in container.config.mounts]
    for message in messages:
        if message.HasField("image"):
            message.image.image_ref = next(image_ids)
    return messages


def _mount_message(mount: Mount) -> api.Mount:
    message = api.Mount(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.readonly,
        recursive_read_only=mount.recursive_read_only,
        selinux_relabel=mount.selinux_relabel,
        propagation=int(mount.propagation),  # type: ignore[arg-type] # enums are numbers on the wire
        uidMappings=base.id_mapping_messages(mount.uid_mappings),
        gidMappings=base.id_mapping_messages(mount.gid_mappings),
        image_sub_path=mount.image_sub_path,
        mount_options=mount.options,
    )
    if mount.image is not None:
        message.image.CopyFrom(image_spec_message(mount.image))
    return message


def matcher(wanted: api.ContainerFilter) -> Callable[[Container], bool] | None:
    """A predicate for the filter, or None if the filter lets everything through. Ids may be prefixes."""
    if not wanted.ByteSize():
        return None
    state = wanted.state.state if wanted.HasField("state") else None
    labels = dict(wanted.label_selector).items()

    def matches(container: Container) -> bool:
        return (
            container.id.startswith(wanted.id)
            and container.sandbox_id.startswith(wanted.pod_sandbox_id)
            and state in (None, STATES[container.state])
            and container.config.labels.items() >= labels
        )

    return matches
