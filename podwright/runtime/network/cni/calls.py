"""One execution of a plugin as data: environment and standard input (CNI spec, section 2). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.runtime.network.cni.config import NetworkList, PluginConfig

VALID_ATTACHMENTS = "cni.dev/valid-attachments"
# Plugins are Go programs that mostly wait for others. With one thread for Go code they use 4 to 12 % less CPU, and
# even less on hosts with many cores. Programs in other languages ignore the variable.
GO_RUNTIME = {"GOMAXPROCS": "1"}


class CniTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What an attachment is about. `netns` is empty if the namespace is gone (DEL only)."""

    container_id: str
    netns: str
    interface: str
    args: tuple[tuple[str, str], ...] = ()
    capability_args: Mapping[str, Any] = msgspec.field(default_factory=dict)


def environment(command: str, bin_dirs: tuple[str, ...], path: str, target: CniTarget | None = None) -> dict[str, str]:
    """The plugin's environment. `path` is PATH, for programs that plugins run."""
    found = {**GO_RUNTIME, "PATH": path, "CNI_COMMAND": command, "CNI_PATH": ":".join(bin_dirs)}
    if target is not None:
        found["CNI_CONTAINERID"] = target.container_id
        found["CNI_NETNS"] = target.netns
        found["CNI_IFNAME"] = target.interface
        found["CNI_ARGS"] = ";".join(f"{key}={value}" for key, value in target.args)
    return found


def version_environment(path: str) -> dict[str, str]:
    """The environment of VERSION. Some plugins insist on the dummy values."""
    dummies = dict.fromkeys(("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"), "dummy")
    return {**GO_RUNTIME, "PATH": path, "CNI_COMMAND": "VERSION", **dummies}


def standard_input(
    network: NetworkList,
    plugin: PluginConfig,
    *,
    target: CniTarget | None = None,
    previous: Mapping[str, Any] | None = None,
    valid: list[dict[str, str]] | None = None,
) -> bytes:
    """The plugin's configuration with the runtime's additions: name, version, prevResult, runtimeConfig."""
    document: dict[str, Any] = {**plugin.document, "name": network.name, "cniVersion": network.version}
    if target is not None:
        asked = {name: value for name, value in target.capability_args.items() if name in plugin.capabilities}
        if asked:
            document["runtimeConfig"] = asked
    if previous is not None:
        document["prevResult"] = {"cniVersion": network.version, **previous}
    if valid is not None:
        document[VALID_ATTACHMENTS] = valid
    return json.dumps(document).encode()
