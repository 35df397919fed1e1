"""Our records and OCI specs as NRI's messages. Pure."""

from __future__ import annotations

from typing import Any

from podwright.runtime.model.base import ProfileType, Resources
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.gathering import HOOKS

STATES = {
    ContainerState.CREATING: pb.CONTAINER_UNKNOWN,
    ContainerState.CREATED: pb.CONTAINER_CREATED,
    ContainerState.RUNNING: pb.CONTAINER_RUNNING,
    ContainerState.EXITED: pb.CONTAINER_STOPPED,
}
OCI_HOOKS = {
    "prestart": "prestart",
    "create_runtime": "createRuntime",
    "create_container": "createContainer",
    "start_container": "startContainer",
    "poststart": "poststart",
    "poststop": "poststop",
}
OPTIONAL = ("file_mode", "uid", "gid")


def pod(sandbox: Sandbox) -> pb.PodSandbox:
    """A pod."""
    config = sandbox.config
    message = pb.PodSandbox(
        id=sandbox.id,
        name=config.name.name,
        uid=config.name.uid,
        namespace=config.name.namespace,
        labels=config.labels,
        annotations=config.annotations,
        runtime_handler=sandbox.requested_handler,
        pid=sandbox.pid,
        ips=sandbox.attachment.ips if sandbox.attachment else (),
    )
    message.linux.cgroup_parent = sandbox.cgroup_parent
    if sandbox.netns:
        message.linux.namespaces.add(type="network", path=sandbox.netns)
    for field, limits in (
        ("pod_overhead", sandbox.overhead or config.overhead),
        ("pod_resources", sandbox.resources or config.resources),
    ):
        if limits is not None:
            getattr(message.linux, field).CopyFrom(resources(limits))
    return message


def container(record: Container, spec: dict[str, Any]) -> pb.Container:
    """A container, with what its OCI spec says."""
    process, linux = spec.get("process", {}), spec.get("linux", {})
    user = process.get("user", {})
    message = pb.Container(
        id=record.id,
        pod_sandbox_id=record.sandbox_id,
        name=record.config.name,
        state=STATES[record.state],
        labels=record.config.labels,
        annotations=record.config.annotations,
        args=process.get("args", ()),
        env=process.get("env", ()),
        mounts=[
            pb.Mount(
                destination=one["destination"],
                type=one.get("type", ""),
                source=one.get("source", ""),
                options=one.get("options", ()),
            )
            for one in spec.get("mounts", ())
        ],
        rlimits=[
            pb.POSIXRlimit(type=one["type"], hard=one["hard"], soft=one["soft"]) for one in process.get("rlimits", ())
        ],
        pid=record.pid,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        exit_code=record.exit_code,
        status_reason=record.reason,
        status_message=record.message,
        CDI_devices=[pb.CDIDevice(name=name) for name in record.config.cdi_devices],
        user=pb.User(uid=user.get("uid", 0), gid=user.get("gid", 0), additional_gids=user.get("additionalGids", ())),
        image=pb.Image(
            name=record.image_name, digest=record.image_ref.partition("@")[2], config_digest=record.image_id
        ),
    )
    _hooks(message.hooks, spec.get("hooks") or {})
    _linux(message.linux, record, linux, process)
    return message


def _hooks(message: pb.Hooks, hooks: dict[str, Any]) -> None:
    for kind in HOOKS:
        for hook in hooks.get(OCI_HOOKS[kind]) or ():
            added = getattr(message, kind).add(path=hook["path"], args=hook.get("args", ()), env=hook.get("env", ()))
            if "timeout" in hook:
                added.timeout.value = hook["timeout"]


def _linux(message: pb.LinuxContainer, record: Container, linux: dict[str, Any], process: dict[str, Any]) -> None:
    message.cgroups_path = linux.get("cgroupsPath", "")
    message.oom_score_adj.value = process.get("oomScoreAdj", 0)
    message.sysctl.update(linux.get("sysctl") or {})
    message.resources.CopyFrom(resources(record.resources))
    for namespace in linux.get("namespaces", ()):
        message.namespaces.add(type=namespace["type"], path=namespace.get("path", ""))
    for device in linux.get("devices", ()):
        added = message.devices.add(
            path=device["path"], type=device["type"], major=device.get("major", 0), minor=device.get("minor", 0)
        )
        for field, key in zip(OPTIONAL, ("fileMode", "uid", "gid"), strict=True):
            if key in device:
                getattr(added, field).value = device[key]
    for rule in linux.get("resources", {}).get("devices", ()):
        described = message.resources.devices.add(
            allow=rule.get("allow", False), type=rule.get("type", ""), access=rule.get("access", "")
        )
        for field in ("major", "minor"):
            if rule.get(field) is not None:
                getattr(described, field).value = rule[field]
    if (limit := (linux.get("resources", {}).get("pids") or {}).get("limit")) is not None:
        message.resources.pids.limit = limit
    if (profile := record.config.security.seccomp) is not None:
        kinds = {ProfileType.RUNTIME_DEFAULT: 0, ProfileType.UNCONFINED: 1, ProfileType.LOCALHOST: 2}
        message.seccomp_profile.profile_type = kinds[profile.kind]  # type: ignore[assignment] # an enum's number
        message.seccomp_profile.localhost_ref = profile.localhost_ref


def resources(limits: Resources) -> pb.LinuxResources:
    """Limits. What is not set stays so."""
    message = pb.LinuxResources()
    for section, field, value in (
        (message.memory, "limit", limits.memory_limit_bytes),
        (message.memory, "swap", limits.memory_swap_limit_bytes),
        (message.cpu, "shares", limits.cpu_shares),
        (message.cpu, "quota", limits.cpu_quota),
        (message.cpu, "period", limits.cpu_period),
    ):
        if value:
            getattr(section, field).value = value
    message.cpu.cpus, message.cpu.mems = limits.cpuset_cpus, limits.cpuset_mems
    for size, limit in limits.hugepage_limits:
        message.hugepage_limits.add(page_size=size, limit=limit)
    message.unified.update(limits.unified)
    return message


def limits_of(message: pb.LinuxResources) -> Resources:
    """What of a plug-in's limits our records have. 0 and empty mean no change."""
    memory, cpu = message.memory, message.cpu
    return Resources(
        cpu_period=cpu.period.value,
        cpu_quota=cpu.quota.value,
        cpu_shares=cpu.shares.value,
        memory_limit_bytes=memory.limit.value,
        memory_swap_limit_bytes=memory.swap.value,
        cpuset_cpus=cpu.cpus,
        cpuset_mems=cpu.mems,
        hugepage_limits=tuple((one.page_size, one.limit) for one in message.hugepage_limits),
        unified=dict(message.unified),
    )
