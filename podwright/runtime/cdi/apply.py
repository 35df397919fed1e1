"""Edits of an OCI spec. Pure: the given spec stays unchanged."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Any, NamedTuple

from podwright.errors import FailedPrecondition
from podwright.runtime.cdi.document import NO_PERMISSIONS, CdiDeviceNode, CdiMount, Edits, Hook, IntelRdt
from podwright.runtime.cdi.nodes import is_bind

Spec = dict[str, Any]


class Injection(NamedTuple):
    """Edits and their source: a device, or a file for all its devices."""

    source: str
    edits: Edits


def apply(spec: Spec, injections: Iterable[Injection]) -> Spec:
    """The spec after all edits, in order. Raises FailedPrecondition for an unsupported edit."""
    for source, edits in injections:
        if edits.net_devices:
            raise FailedPrecondition(
                f"CDI device {source} needs network interfaces of the host",
                hint="netDevices are not supported: interfaces belong to pods",
            )
        spec = {**spec, "process": _process(spec["process"], edits), "linux": _linux(spec, edits)}
        if edits.mounts:
            spec["mounts"] = _mounts(spec, edits.mounts)
        if edits.hooks:
            spec["hooks"] = _hooks(spec.get("hooks", {}), edits.hooks)
    return spec


def _process(process: Spec, edits: Edits) -> Spec:
    user = process["user"]
    groups = [*user.get("additionalGids", ()), *filter(None, edits.additional_gids)]
    return {
        **process,
        "env": _environment(process.get("env", []), edits.env),
        "user": {**user, "additionalGids": list(dict.fromkeys(groups))},
    }


def _environment(given: Iterable[str], added: Iterable[str]) -> list[str]:
    """Each variable once, at its first position, with its last value."""
    return list({variable.partition("=")[0]: variable for variable in (*given, *added)}.values())


def _linux(spec: Spec, edits: Edits) -> Spec:
    linux: Spec = dict(spec["linux"])
    if edits.device_nodes:
        paths = {node.path for node in edits.device_nodes}
        kept = [device for device in linux.get("devices", ()) if device["path"] not in paths]
        nodes = {node.path: node for node in edits.device_nodes}.values()
        resources = linux.get("resources", {})
        rules = [rule for node in edits.device_nodes if (rule := _rule(node))]
        linux["devices"] = kept + [_device(node, spec["process"]["user"]) for node in nodes]
        linux["resources"] = {**resources, "devices": [*resources.get("devices", ()), *rules]}
    if edits.intel_rdt is not None:
        linux["intelRdt"] = _intel_rdt(edits.intel_rdt)
    return linux


def _device(node: CdiDeviceNode, user: Spec) -> Spec:
    """The owner defaults to the container's user. Otherwise only root could open the device."""
    uid, gid = (user["uid"] if node.uid is None else node.uid), (user["gid"] if node.gid is None else node.gid)
    device: Spec = {"path": node.path, "type": node.type, "uid": uid, "gid": gid}
    if node.type != "p":
        device |= {"major": node.major, "minor": node.minor}
    return device if node.file_mode is None else {**device, "fileMode": node.file_mode}


def _rule(node: CdiDeviceNode) -> Spec | None:
    """The rule of the device cgroup. Fifos need none."""
    access = "" if node.permissions == NO_PERMISSIONS else node.permissions or "rwm"
    if node.type == "p" or not access:
        return None
    kind = "c" if node.type == "u" else node.type
    return {"allow": True, "type": kind, "major": node.major, "minor": node.minor, "access": access}


def _intel_rdt(rdt: IntelRdt) -> Spec:
    fields = {
        "closID": rdt.clos_id,
        "l3CacheSchema": rdt.l3_cache_schema,
        "memBwSchema": rdt.mem_bw_schema,
        "schemata": list(rdt.schemata),
        "enableMonitoring": rdt.enable_monitoring,
        "enableCMT": rdt.enable_cmt,
        "enableMBM": rdt.enable_mbm,
    }
    return {key: value for key, value in fields.items() if value}


def _mounts(spec: Spec, added: Iterable[CdiMount]) -> list[Spec]:
    """A mount replaces one with the same path. Parents come before children."""
    mapped = any(space["type"] == "user" for space in spec["linux"].get("namespaces", ()))
    mounts = {posixpath.normpath(mount["destination"]): mount for mount in spec.get("mounts", ())}
    for mount in added:
        path = posixpath.normpath(mount.container_path)
        mounts.pop(path, None)
        mounts[path] = _mount(mount, path, mapped=mapped)
    return sorted(mounts.values(), key=lambda mount: mount["destination"].rstrip("/").count("/"))


def _mount(mount: CdiMount, path: str, *, mapped: bool) -> Spec:
    options = list(mount.options)
    if not mount.type and not {"bind", "rbind"}.intersection(options):
        options.insert(0, "bind")
    if mapped and is_bind(mount) and not {"idmap", "ridmap"}.intersection(options):
        options.append(
            "ridmap" if "rbind" in options else "idmap"
        )  # map the owners, so that the container's users own what the host's own
    kind = mount.type or "bind"
    return {"destination": path, "type": kind, "source": mount.host_path, "options": options}


def _hooks(given: Spec, added: Iterable[Hook]) -> Spec:
    hooks = {name: list(entries) for name, entries in given.items()}
    for hook in added:
        entry: Spec = {"path": hook.path, "args": list(hook.args), "env": list(hook.env)}
        if hook.timeout is not None:
            entry["timeout"] = hook.timeout
        hooks.setdefault(hook.hook_name, []).append({key: value for key, value in entry.items() if value})
    return hooks
