"""Converts CRI's messages to the agent's records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podwright.agent.pods.identity import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID
from podwright.agent.pods.places import is_uid
from podwright.agent.runtime.records import (
    ContainerSummary,
    CriCondition,
    CriContainerState,
    CriContainerStatus,
    CriSandboxState,
    FilesystemSpace,
    HandlerFeatures,
    ImageStatus,
    MountStatus,
    ObservedPod,
    ResourcesStatus,
    RuntimeEvent,
    RuntimeEventKind,
    RuntimeState,
    SandboxStatus,
    SandboxSummary,
    UserStatus,
)
from podwright.cri.v1 import api_pb2 as api

_CONTAINER_STATES = {
    api.CONTAINER_CREATED: CriContainerState.CREATED,
    api.CONTAINER_RUNNING: CriContainerState.RUNNING,
    api.CONTAINER_EXITED: CriContainerState.EXITED,
}
_EVENT_KINDS = {
    api.CONTAINER_CREATED_EVENT: RuntimeEventKind.CREATED,
    api.CONTAINER_STARTED_EVENT: RuntimeEventKind.STARTED,
    api.CONTAINER_STOPPED_EVENT: RuntimeEventKind.STOPPED,
    api.CONTAINER_DELETED_EVENT: RuntimeEventKind.DELETED,
}
SIGNAL_PREFIX = "SIGNAL_"


def pod_uid(labels: Mapping[str, str]) -> str:
    """The pod's UID in the labels that the agent writes. Empty if there is none, or if it is invalid."""
    uid = labels.get(POD_UID, "")
    return uid if is_uid(uid) else ""


def sandbox_summary(item: api.PodSandbox) -> SandboxSummary | None:
    """The sandbox in a list. None for one without a pod's labels, which others made."""
    labels = item.labels
    if not (uid := pod_uid(labels)):
        return None
    return SandboxSummary(
        id=item.id,
        pod_uid=uid,
        pod_name=labels.get(POD_NAME, item.metadata.name),
        pod_namespace=labels.get(POD_NAMESPACE, item.metadata.namespace),
        attempt=item.metadata.attempt,
        state=_sandbox_state(item.state),
        created_at_ns=item.created_at,
    )


def container_summary(item: api.Container) -> ContainerSummary | None:
    """The container in a list. None for one without a pod's labels, which others made."""
    labels = item.labels
    if not (uid := pod_uid(labels)):
        return None
    return ContainerSummary(
        id=item.id,
        pod_uid=uid,
        pod_name=labels.get(POD_NAME, ""),
        pod_namespace=labels.get(POD_NAMESPACE, ""),
        sandbox_id=item.pod_sandbox_id,
        name=labels.get(CONTAINER_NAME, item.metadata.name),
        attempt=item.metadata.attempt,
        state=_CONTAINER_STATES.get(item.state, CriContainerState.UNKNOWN),
        created_at_ns=item.created_at,
        image=item.image.image,
        image_id=item.image_id or item.image_ref,
        annotations=dict(item.annotations),
    )


def _sandbox_state(state: int) -> CriSandboxState:
    return CriSandboxState.READY if state == api.SANDBOX_READY else CriSandboxState.NOTREADY


def sandbox_status(status: api.PodSandboxStatus) -> SandboxStatus:
    """A sandbox with its addresses."""
    ips = (status.network.ip, *(extra.ip for extra in status.network.additional_ips))
    return SandboxStatus(
        id=status.id,
        pod_uid=pod_uid(status.labels),
        pod_name=status.metadata.name,
        pod_namespace=status.metadata.namespace,
        attempt=status.metadata.attempt,
        state=_sandbox_state(status.state),
        created_at_ns=status.created_at,
        ips=tuple(ip for ip in ips if ip),
        host_network=status.linux.namespaces.options.network == api.NODE,
        runtime_handler=status.runtime_handler,
    )


def container_status(status: api.ContainerStatus, sandbox_id: str = "") -> CriContainerStatus:
    """A container with all its details. The message does not name its sandbox."""
    return CriContainerStatus(
        id=status.id,
        name=status.labels.get(CONTAINER_NAME, status.metadata.name),
        sandbox_id=sandbox_id,
        restart_count=status.metadata.attempt,
        state=_CONTAINER_STATES.get(status.state, CriContainerState.UNKNOWN),
        created_at_ns=status.created_at,
        started_at_ns=status.started_at,
        finished_at_ns=status.finished_at,
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        image=status.image.user_specified_image or status.image.image,
        image_id=status.image_id,
        image_ref=status.image_ref,
        log_path=status.log_path,
        labels=dict(status.labels),
        annotations=dict(status.annotations),
        mounts=tuple(_mount(mount) for mount in status.mounts),
        resources=_resources(status),
        user=_user(status),
        stop_signal=api.Signal.Name(status.stop_signal).removeprefix(SIGNAL_PREFIX) if status.stop_signal else "",
    )


def _mount(mount: api.Mount) -> MountStatus:
    return MountStatus(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.readonly,
        recursive_read_only=mount.recursive_read_only,
        image=mount.image.image,
    )


def _resources(status: api.ContainerStatus) -> ResourcesStatus | None:
    if not status.HasField("resources") or not status.resources.HasField("linux"):
        return None
    linux = status.resources.linux
    return ResourcesStatus(
        cpu_shares=linux.cpu_shares or None,
        cpu_quota_us=linux.cpu_quota or None,
        cpu_period_us=linux.cpu_period or None,
        memory_limit_bytes=linux.memory_limit_in_bytes or None,
    )


def _user(status: api.ContainerStatus) -> UserStatus | None:
    if not status.HasField("user") or not status.user.HasField("linux"):
        return None
    linux = status.user.linux
    return UserStatus(uid=linux.uid, gid=linux.gid, supplemental_groups=tuple(linux.supplemental_groups))


def observed(
    uid: str, sandboxes: Iterable[SandboxStatus], containers: Iterable[CriContainerStatus], seen_at: float
) -> ObservedPod:
    """One pod from its parts, in the order of `ObservedPod`."""
    by_age = sorted(sandboxes, key=lambda sandbox: (sandbox.attempt, sandbox.created_at_ns), reverse=True)
    instances = sorted(containers, key=lambda status: (status.restart_count, status.created_at_ns), reverse=True)
    return ObservedPod(
        uid=uid,
        name=by_age[0].pod_name if by_age else "",
        namespace=by_age[0].pod_namespace if by_age else "",
        sandboxes=tuple(by_age),
        containers=tuple(instances),
        seen_at=seen_at,
    )


def event(message: api.ContainerEventResponse) -> RuntimeEvent:
    """An event, and what it shows of the pod.

    The event of a sandbox's removal still has its last status, which is left out.
    """
    status = message.pod_sandbox_status
    is_removal = message.container_event_type == api.CONTAINER_DELETED_EVENT and message.container_id == status.id
    pod = None
    if status.id and not is_removal:
        containers = [container_status(container, status.id) for container in message.containers_statuses]
        pod = observed(pod_uid(status.labels), [sandbox_status(status)], containers, 0.0)
    return RuntimeEvent(
        id=message.container_id,
        kind=_EVENT_KINDS[message.container_event_type],
        pod_uid=pod_uid(status.labels),
        created_at_ns=message.created_at,
        pod=pod,
    )


def runtime_state(response: api.StatusResponse) -> RuntimeState:
    """The conditions that a node's readiness comes from."""
    conditions = {condition.type: condition for condition in response.status.conditions}
    return RuntimeState(
        runtime=_condition(conditions.get("RuntimeReady")),
        network=_condition(conditions.get("NetworkReady")),
        handlers=tuple(
            HandlerFeatures(
                name=handler.name,
                recursive_read_only_mounts=handler.features.recursive_read_only_mounts,
                user_namespaces=handler.features.user_namespaces,
            )
            for handler in response.runtime_handlers
        ),
        supplemental_groups_policy=response.features.supplemental_groups_policy,
        user_namespaces_host_network=response.features.user_namespaces_host_network,
    )


def _condition(condition: api.RuntimeCondition | None) -> CriCondition:
    if condition is None:
        return CriCondition(status=False, reason="Missing", message="the runtime does not report the condition")
    return CriCondition(status=condition.status, reason=condition.reason, message=condition.message)


def image(item: api.Image) -> ImageStatus:
    """An image."""
    return ImageStatus(
        id=item.id,
        tags=tuple(item.repo_tags),
        digests=tuple(item.repo_digests),
        size_bytes=item.size,
        uid=item.uid.value if item.HasField("uid") else None,
        username=item.username,
        pinned=item.pinned,
    )


def filesystem(usage: api.FilesystemUsage) -> FilesystemSpace:
    """The usage of one filesystem."""
    return FilesystemSpace(
        mountpoint=usage.fs_id.mountpoint, used_bytes=usage.used_bytes.value, inodes_used=usage.inodes_used.value
    )
