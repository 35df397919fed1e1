"""What plug-ins want of a container, put into its OCI spec. Pure."""

from __future__ import annotations

from typing import Any

from podwright.errors import InvalidArgument
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.describing import OCI_HOOKS
from podwright.runtime.nri.gathering import REMOVED

Spec = dict[str, Any]

MEMORY = {
    "limit": "limit",
    "reservation": "reservation",
    "swap": "swap",
    "kernel": "kernel",
    "kernel_tcp": "kernelTCP",
    "swappiness": "swappiness",
    "disable_oom_killer": "disableOOMKiller",
    "use_hierarchy": "useHierarchy",
}
CPU = {
    "shares": "shares",
    "quota": "quota",
    "period": "period",
    "realtime_runtime": "realtimeRuntime",
    "realtime_period": "realtimePeriod",
}


def adjust(spec: Spec, wanted: pb.ContainerAdjustment) -> None:
    """Change the spec in place. CDI devices and classes are the caller's. Raises InvalidArgument."""
    process = spec["process"]
    spec["annotations"] = _mapped(spec.get("annotations", {}), wanted.annotations)
    process["env"] = _environment(process.get("env", []), wanted.env)
    if wanted.args:
        process["args"] = list(wanted.args)
    spec["mounts"] = _mounts(spec.get("mounts", []), wanted.mounts)
    _add_hooks(spec, wanted.hooks)
    for limit in wanted.rlimits:
        kept = [one for one in process.get("rlimits", []) if one["type"] != limit.type]
        process["rlimits"] = [*kept, {"type": limit.type, "hard": limit.hard, "soft": limit.soft}]
    _adjust_linux(spec, wanted.linux)


def _mapped(before: dict[str, str], wanted: Any) -> dict[str, str]:
    removed = {key[1:] for key in wanted if key.startswith(REMOVED)}
    kept = {key: value for key, value in before.items() if key not in removed}
    return {**kept, **{key: value for key, value in wanted.items() if not key.startswith(REMOVED)}}


def _environment(before: list[str], wanted: Any) -> list[str]:
    changed = {one.key.removeprefix(REMOVED) for one in wanted}
    kept = [variable for variable in before if variable.partition("=")[0] not in changed]
    return kept + [f"{one.key}={one.value}" for one in wanted if not one.key.startswith(REMOVED)]


def _mounts(before: list[Spec], wanted: Any) -> list[Spec]:
    """Those of plug-ins come last, and the shallow ones first: a mount must not hide a deeper one."""
    if not wanted:
        return before
    changed = {one.destination.removeprefix(REMOVED) for one in wanted}
    kept = [one for one in before if one["destination"] not in changed]
    added = []
    for one in wanted:
        if one.destination.startswith(REMOVED):
            continue
        if not one.destination.startswith("/"):
            raise InvalidArgument(f"an NRI plug-in mounts on {one.destination!r}, which is not an absolute path")
        mount = {"destination": one.destination, "type": one.type, "source": one.source, "options": list(one.options)}
        added.append({key: value for key, value in mount.items() if value})
    return sorted([*kept, *added], key=lambda mount: mount["destination"].rstrip("/").count("/"))


def _add_hooks(spec: Spec, wanted: pb.Hooks) -> None:
    for field, kind in OCI_HOOKS.items():
        for hook in getattr(wanted, field):
            added: Spec = {"path": hook.path}
            if hook.args:
                added["args"] = list(hook.args)
            if hook.env:
                added["env"] = list(hook.env)
            if hook.HasField("timeout"):
                added["timeout"] = hook.timeout.value
            spec.setdefault("hooks", {}).setdefault(kind, []).append(added)


def _adjust_linux(spec: Spec, wanted: pb.LinuxContainerAdjustment) -> None:
    linux, process = spec["linux"], spec["process"]
    if wanted.cgroups_path:
        linux["cgroupsPath"] = wanted.cgroups_path
    if wanted.HasField("oom_score_adj"):
        process["oomScoreAdj"] = wanted.oom_score_adj.value
    if wanted.HasField("io_priority"):
        kind = _name(pb.IOPrioClass, wanted.io_priority.kind)
        process["ioPriority"] = {"class": kind, "priority": wanted.io_priority.priority}
    if wanted.HasField("scheduler"):
        process["scheduler"] = _scheduler(wanted.scheduler)
    if wanted.HasField("seccomp_policy"):
        linux["seccomp"] = _seccomp(wanted.seccomp_policy)
    if wanted.HasField("memory_policy"):
        linux["memoryPolicy"] = _memory_policy(wanted.memory_policy)
    if wanted.sysctl:
        linux["sysctl"] = _mapped(linux.get("sysctl") or {}, wanted.sysctl)
    _set_namespaces(linux, wanted)
    _set_devices(linux, wanted)
    _set_rdt(linux, wanted)
    if wanted.net_devices:
        added = {key: {"name": one.name} for key, one in wanted.net_devices.items() if not key.startswith(REMOVED)}
        linux["netDevices"] = {**(linux.get("netDevices") or {}), **added}
    set_resources(linux.setdefault("resources", {}), wanted.resources)


def _set_namespaces(linux: Spec, wanted: pb.LinuxContainerAdjustment) -> None:
    for one in wanted.namespaces:
        kind = one.type.removeprefix(REMOVED)
        kept = [before for before in linux.get("namespaces", []) if before["type"] != kind]
        if not one.type.startswith(REMOVED):
            kept.append({"type": kind, **({"path": one.path} if one.path else {})})
        linux["namespaces"] = kept


def _set_devices(linux: Spec, wanted: pb.LinuxContainerAdjustment) -> None:
    """The nodes, and the right to use them."""
    for device in wanted.devices:
        path = device.path.removeprefix(REMOVED)
        linux["devices"] = [one for one in linux.get("devices", []) if one["path"] != path]
        if device.path.startswith(REMOVED):
            continue
        numbers = {"type": device.type, "major": device.major, "minor": device.minor}
        node: Spec = {"path": path, **numbers}
        for field, key in (("file_mode", "fileMode"), ("uid", "uid"), ("gid", "gid")):
            if device.HasField(field):
                node[key] = getattr(device, field).value
        linux["devices"].append(node)
        if device.type in ("b", "c"):
            rules = linux.setdefault("resources", {}).setdefault("devices", [])
            rules.append({"allow": True, **numbers, "access": "rwm"})


def _set_rdt(linux: Spec, wanted: pb.LinuxContainerAdjustment) -> None:
    if not wanted.HasField("rdt"):
        return
    if wanted.rdt.remove:
        linux.pop("intelRdt", None)
    rdt: Spec = dict(linux.get("intelRdt") or {})
    if wanted.rdt.HasField("clos_id"):
        rdt["closID"] = wanted.rdt.clos_id.value
    if wanted.rdt.HasField("schemata"):
        rdt["schemata"] = list(wanted.rdt.schemata.value)
    if wanted.rdt.HasField("enable_monitoring"):
        rdt["enableMonitoring"] = wanted.rdt.enable_monitoring.value
    if rdt:
        linux["intelRdt"] = rdt


def set_resources(limits: Spec, wanted: pb.LinuxResources) -> None:
    """Put a plug-in's limits into OCI's."""
    for name, message, fields in (("memory", wanted.memory, MEMORY), ("cpu", wanted.cpu, CPU)):
        given = {key: getattr(message, field).value for field, key in fields.items() if message.HasField(field)}
        if given:
            limits[name] = {**limits.get(name, {}), **given}
    placed = {key: value for key, value in (("cpus", wanted.cpu.cpus), ("mems", wanted.cpu.mems)) if value}
    if placed:
        limits["cpu"] = {**limits.get("cpu", {}), **placed}
    for page in wanted.hugepage_limits:
        kept = [one for one in limits.get("hugepageLimits", []) if one["pageSize"] != page.page_size]
        limits["hugepageLimits"] = [*kept, {"pageSize": page.page_size, "limit": page.limit}]
    if wanted.unified:
        limits["unified"] = {**limits.get("unified", {}), **wanted.unified}
    if wanted.HasField("pids"):
        limits["pids"] = {"limit": wanted.pids.limit}


def _name(enum: Any, number: int) -> str:
    """A value's name. Raises InvalidArgument for a number without one, which protobuf lets pass."""
    try:
        name: str = enum.Name(number)
    except ValueError as unknown:
        raise InvalidArgument(f"an NRI plug-in wants {enum.DESCRIPTOR.name} {number}, which is unknown") from unknown
    return name


def _scheduler(wanted: pb.LinuxScheduler) -> Spec:
    scheduler: Spec = {"policy": _name(pb.LinuxSchedulerPolicy, wanted.policy)}
    for field in ("nice", "priority", "runtime", "deadline", "period"):
        if value := getattr(wanted, field):
            scheduler[field] = value
    if wanted.flags:
        scheduler["flags"] = [_name(pb.LinuxSchedulerFlag, flag) for flag in wanted.flags]
    return scheduler


def _memory_policy(wanted: pb.LinuxMemoryPolicy) -> Spec:
    policy: Spec = {"mode": _name(pb.MpolMode, wanted.mode), "nodes": wanted.nodes}
    if wanted.flags:
        policy["flags"] = [_name(pb.MpolFlag, flag) for flag in wanted.flags]
    return policy


def _seccomp(wanted: pb.LinuxSeccomp) -> Spec:
    policy: Spec = {"defaultAction": wanted.default_action}
    if wanted.HasField("default_errno"):
        policy["defaultErrnoRet"] = wanted.default_errno.value
    for field, key in (
        ("architectures", "architectures"),
        ("flags", "flags"),
        ("listener_path", "listenerPath"),
        ("listener_metadata", "listenerMetadata"),
    ):
        if value := getattr(wanted, field):
            policy[key] = value if isinstance(value, str) else list(value)
    policy["syscalls"] = [_syscall(one) for one in wanted.syscalls]
    return policy


def _syscall(wanted: pb.LinuxSyscall) -> Spec:
    rule: Spec = {"names": list(wanted.names), "action": wanted.action}
    if wanted.HasField("errno_ret"):
        rule["errnoRet"] = wanted.errno_ret.value
    if wanted.args:
        rule["args"] = [
            {"index": one.index, "value": one.value, "valueTwo": one.value_two, "op": one.op} for one in wanted.args
        ]
    return rule
