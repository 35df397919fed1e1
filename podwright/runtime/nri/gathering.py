"""What plug-ins want of a container that is being created, put together. Pure.

Each plug-in sees what the ones before it want. Two that set the same thing are a conflict, unless the later one
removes it first. Hooks add up. Who set what is kept for the validators.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableSequence
from typing import Any

from google.protobuf.message import Message

from podwright.errors import FailedPrecondition
from podwright.runtime.nri.api import nri_pb2 as pb

REMOVED = "-"
HOOKS = ("prestart", "create_runtime", "create_container", "start_container", "poststart", "poststop")
# Fields of LinuxMemory and LinuxCPU -> how the interface counts them.
MEMORY = {
    "limit": pb.MemLimit,
    "reservation": pb.MemReservation,
    "swap": pb.MemSwapLimit,
    "kernel": pb.MemKernelLimit,
    "kernel_tcp": pb.MemTCPLimit,
    "swappiness": pb.MemSwappiness,
    "disable_oom_killer": pb.MemDisableOomKiller,
    "use_hierarchy": pb.MemUseHierarchy,
}
CPU = {
    "shares": pb.CPUShares,
    "quota": pb.CPUQuota,
    "period": pb.CPUPeriod,
    "realtime_runtime": pb.CPURealtimeRuntime,
    "realtime_period": pb.CPURealtimePeriod,
    "cpus": pb.CPUSetCPUs,
    "mems": pb.CPUSetMems,
}
RDT = {"clos_id": pb.RdtClosID, "schemata": pb.RdtSchemata, "enable_monitoring": pb.RdtEnableMonitoring}
# Fields of LinuxContainerAdjustment that are one value each.
SINGLE = {
    "oom_score_adj": pb.OomScoreAdj,
    "io_priority": pb.IoPriority,
    "seccomp_policy": pb.SeccompPolicy,
    "scheduler": pb.LinuxSched,
    "memory_policy": pb.MemoryPolicy,
}


class Owners:
    """Who set what, of one or more containers."""

    def __init__(self) -> None:
        self.message = pb.OwningPlugins()

    def claim(self, container_id: str, field: pb.Field, plugin: str, key: str | None = None) -> None:
        """Note it. Raises FailedPrecondition when another plug-in has set it."""
        owned = self.message.owners[container_id]
        owners = owned.simple if key is None else owned.compound[field].owners
        at = field if key is None else key
        if at in owners and owners[at] != plugin:  # type: ignore[index] # str or int, as the map has it
            what = pb.Field.Name(field) + (f" {key}" if key is not None else "")
            raise FailedPrecondition(f"NRI plug-ins {owners[at]} and {plugin} both set {what}")  # type: ignore[index]
        owners[at] = plugin  # type: ignore[index]

    def clear(self, container_id: str, field: pb.Field, key: str | None = None) -> None:
        """It is removed, and may be set by another."""
        owned = self.message.owners[container_id]
        if key is None:
            owned.simple.pop(field, None)
        elif field in owned.compound:
            owned.compound[field].owners.pop(key, None)

    def share(self, container_id: str, field: pb.Field, plugin: str) -> None:
        """Note one of several who may set it."""
        simple = self.message.owners[container_id].simple
        before = simple.get(field)
        simple[field] = plugin if not before or plugin in before.split(",") else f"{before},{plugin}"


class Gathered:
    """The wishes so far. `container` is the container as the next plug-in sees it."""

    def __init__(self, container: pb.Container) -> None:
        self.pristine = pb.Container()
        self.pristine.CopyFrom(container)
        self.container = container
        self.adjust = pb.ContainerAdjustment()
        self.updates: dict[str, pb.ContainerUpdate] = {}
        self.evictions: list[pb.ContainerEviction] = []
        self.owners = Owners()

    def take(self, answer: pb.CreateContainerResponse, plugin: str) -> None:
        """One plug-in's answer. Raises FailedPrecondition for a conflict."""
        wanted = answer.adjust
        self._take_maps_and_lists(wanted, plugin)
        self._take_args(list(wanted.args), plugin)
        for kind in HOOKS:
            if hooks := getattr(wanted.hooks, kind):
                getattr(self.adjust.hooks, kind).extend(hooks)
                getattr(self.container.hooks, kind).extend(hooks)
                self.owners.share(self.container.id, pb.OciHooks, plugin)
        self._take_linux(wanted.linux, plugin)
        self.take_updates(answer.update, plugin)
        self.evictions.extend(answer.evict)

    def take_updates(self, updates: Iterable[pb.ContainerUpdate], plugin: str) -> None:
        """Updates of other containers. Raises FailedPrecondition."""
        for update in updates:
            if update.container_id == self.pristine.id and self.pristine.id:
                raise FailedPrecondition(f"NRI plug-in {plugin} updates the container that is being created")
            merge_update(self.updates, self.owners, update, plugin)

    def _take_maps_and_lists(self, wanted: pb.ContainerAdjustment, plugin: str) -> None:
        linux, merged, seen = wanted.linux, self.adjust, self.container
        self._take_map(wanted.annotations, merged.annotations, seen.annotations, pb.Annotations, plugin)
        self._take_map(linux.sysctl, merged.linux.sysctl, seen.linux.sysctl, pb.Sysctl, plugin)
        self._take_devices_of_network(linux, plugin)
        for field, items, into, shown, key in (
            (pb.Mounts, wanted.mounts, merged.mounts, seen.mounts, "destination"),
            (pb.Devices, linux.devices, merged.linux.devices, seen.linux.devices, "path"),
            (pb.Namespace, linux.namespaces, merged.linux.namespaces, seen.linux.namespaces, "type"),
        ):
            self._take_list(items, into, shown, field, plugin, key)
        environment = [pb.KeyValue(key=key, value=value) for key, _, value in (v.partition("=") for v in seen.env)]
        self._take_list(wanted.env, merged.env, environment, pb.Env, plugin, "key")
        del seen.env[:]
        seen.env.extend(f"{one.key}={one.value}" for one in environment)
        for device in wanted.CDI_devices:
            self.owners.claim(seen.id, pb.CdiDevices, plugin, device.name)
            merged.CDI_devices.append(device)
        for limit in wanted.rlimits:
            self.owners.claim(seen.id, pb.Rlimits, plugin, limit.type)
            merged.rlimits.append(limit)
            seen.rlimits.append(limit)

    def _take_map(self, items, into, shown, field, plugin: str) -> None:  # type: ignore[no-untyped-def] # protobuf's maps
        removed = {key[1:] for key in items if key.startswith(REMOVED)}
        for key in removed:
            self.owners.clear(self.container.id, field, key)
            into.pop(key, None)
            shown.pop(key, None)
            into[REMOVED + key] = ""
        for key, value in items.items():
            if not key.startswith(REMOVED):
                self.owners.claim(self.container.id, field, plugin, key)
                into[key] = shown[key] = value

    def _take_devices_of_network(self, linux: pb.LinuxContainerAdjustment, plugin: str) -> None:
        merged, shown = self.adjust.linux.net_devices, self.container.linux.net_devices
        for key in linux.net_devices:
            if key.startswith(REMOVED):
                self.owners.clear(self.container.id, pb.LinuxNetDevices, key[1:])
                merged.pop(key[1:], None)
                shown.pop(key[1:], None)
                merged[key].SetInParent()
        for key, device in linux.net_devices.items():
            if not key.startswith(REMOVED):
                self.owners.claim(self.container.id, pb.LinuxNetDevices, plugin, key)
                merged[key].CopyFrom(device)
                shown[key].CopyFrom(device)

    def _take_list(self, items, into, shown, field, plugin: str, key: str) -> None:  # type: ignore[no-untyped-def] # protobuf's lists
        """Items that are told apart by one of their fields."""
        for item in items:
            name = getattr(item, key)
            if name.startswith(REMOVED):
                self.owners.clear(self.container.id, field, name[1:])
                _drop(into, key, {name, name[1:]})
                _drop(shown, key, {name[1:]})
                into.append(item)
        for item in items:
            name = getattr(item, key)
            if not name.startswith(REMOVED):
                self.owners.claim(self.container.id, field, plugin, name)
                into.append(item)
                _drop(shown, key, {name})
                shown.append(item)

    def _take_args(self, args: list[str], plugin: str) -> None:
        """An empty first argument says: whatever others have set."""
        if not args:
            return
        if not args[0]:
            self.owners.clear(self.container.id, pb.Args)
            args = args[1:]
        self.owners.claim(self.container.id, pb.Args, plugin)
        for message in (self.adjust, self.container):
            del message.args[:]
            message.args.extend(args)

    def _take_linux(self, wanted: pb.LinuxContainerAdjustment, plugin: str) -> None:
        merged, container_id = self.adjust.linux, self.container.id
        if wanted.cgroups_path:
            self.owners.claim(container_id, pb.CgroupsPath, plugin)
            merged.cgroups_path = self.container.linux.cgroups_path = wanted.cgroups_path
        for name, field in SINGLE.items():
            if wanted.HasField(name):
                self.owners.claim(container_id, field, plugin)
                getattr(merged, name).CopyFrom(getattr(wanted, name))
        if wanted.HasField("rdt"):
            if wanted.rdt.remove:
                for field in RDT.values():
                    self.owners.clear(container_id, field)
                merged.rdt.Clear()
                merged.rdt.remove = True
            _merge_fields(wanted.rdt, merged.rdt, RDT, self.owners, container_id, plugin)
        merge_resources(wanted.resources, merged.resources, self.owners, container_id, plugin)
        self.container.linux.resources.MergeFrom(_scalars(wanted.resources))


def merge_update(
    updates: dict[str, pb.ContainerUpdate], owners: Owners, update: pb.ContainerUpdate, plugin: str
) -> None:
    """Add one to those of the same container. Raises FailedPrecondition for a conflict, unless it may be ignored."""
    known = updates.setdefault(update.container_id, pb.ContainerUpdate(container_id=update.container_id))
    try:
        merge_resources(update.linux.resources, known.linux.resources, owners, update.container_id, plugin)
    except FailedPrecondition:
        if not update.ignore_failure:
            raise
    known.ignore_failure = known.ignore_failure or update.ignore_failure


def merge_resources(
    wanted: pb.LinuxResources, merged: pb.LinuxResources, owners: Owners, container_id: str, plugin: str
) -> None:
    """Add limits to those that others want. Raises FailedPrecondition for a conflict."""
    _merge_fields(wanted.memory, merged.memory, MEMORY, owners, container_id, plugin)
    _merge_fields(wanted.cpu, merged.cpu, CPU, owners, container_id, plugin)
    for limit in wanted.hugepage_limits:
        owners.claim(container_id, pb.HugepageLimits, plugin, limit.page_size)
        merged.hugepage_limits.append(limit)
    for key, value in wanted.unified.items():
        owners.claim(container_id, pb.CgroupsUnified, plugin, key)
        merged.unified[key] = value
    singles = {"blockio_class": pb.BlockioClass, "rdt_class": pb.RdtClass, "pids": pb.PidsLimit}
    _merge_fields(wanted, merged, singles, owners, container_id, plugin)


def _merge_fields(
    wanted: Message, merged: Message, fields: dict[str, pb.Field], owners: Owners, container_id: str, plugin: str
) -> None:
    for name, field in fields.items():
        value = getattr(wanted, name)
        if isinstance(value, str):
            if value:
                owners.claim(container_id, field, plugin)
                setattr(merged, name, value)
        elif wanted.HasField(name):
            owners.claim(container_id, field, plugin)
            getattr(merged, name).CopyFrom(value)


def _scalars(resources: pb.LinuxResources) -> pb.LinuxResources:
    """Without lists, which merging would append."""
    copy = pb.LinuxResources()
    copy.CopyFrom(resources)
    del copy.devices[:]
    return copy


def _drop(items: MutableSequence[Any], key: str, names: Collection[str]) -> None:
    for index in reversed(range(len(items))):
        if getattr(items[index], key) in names:
            del items[index]
