"""A CNI network configuration list, parsed from a .conf, .conflist or .json file. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from podwright.errors import InvalidArgument

Json = dict[str, Any]

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
DEFAULT_VERSION = "0.1.0"  # for a configuration without a version
SUFFIXES = (".conf", ".conflist", ".json")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")


class PluginConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin of a list. `document` is its unchanged part of the file."""

    type: str
    capabilities: frozenset[str]
    document: Json


class NetworkList(msgspec.Struct, frozen=True, kw_only=True):
    """A network: plugins to run one after the other.

    `versions` are those that the file allows, best first. `version` is the one in use. With `inlined_only`, the
    plugins in the file are all. Otherwise those in the folder named after the network follow (CNI spec 1.1).
    """

    name: str
    versions: tuple[str, ...]
    plugins: tuple[PluginConfig, ...]
    disable_check: bool = False
    disable_gc: bool = False
    inlined_only: bool = False

    @property
    def version(self) -> str:
        """The version in use."""
        return self.versions[0]

    def supports(self, version: str) -> bool:
        """Whether the version in use is `version` or later."""
        return VERSIONS.index(self.version) >= VERSIONS.index(version)

    def text(self) -> str:
        """The complete list as JSON, which is stored to undo an attachment later."""
        return json.dumps(
            {
                "cniVersion": self.version,
                "name": self.name,
                "disableCheck": self.disable_check,
                "disableGC": self.disable_gc,
                "loadOnlyInlinedPlugins": True,
                "plugins": [plugin.document for plugin in self.plugins],
            }
        )


def parse(data: bytes | str, folder_plugins: tuple[bytes, ...] = ()) -> NetworkList:
    """The network in a file. A single plugin becomes a list of one. Raises InvalidArgument."""
    document = _object(data)
    if "plugins" in document or "type" not in document:
        return _parse_list(document, folder_plugins)
    return NetworkList(
        name=network_name(document),
        versions=_versions(document),
        plugins=(_plugin(document),),
        inlined_only=True,
    )


def network_name(document: Json) -> str:
    """The checked name of a network. Raises InvalidArgument."""
    name = document.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidArgument(f"name {name!r} is missing or not a network's name")
    return name


def wants_folder(data: bytes) -> str:
    """The network's name if the file requests the plugins of its folder, otherwise "". Raises InvalidArgument."""
    document = _object(data)
    listed = "plugins" in document or "type" not in document
    return network_name(document) if listed and not _flag(document, "loadOnlyInlinedPlugins") else ""


def _parse_list(document: Json, folder_plugins: tuple[bytes, ...]) -> NetworkList:
    entries = document.get("plugins", [])
    if not isinstance(entries, list):
        raise InvalidArgument("plugins is not a list")
    inlined_only = _flag(document, "loadOnlyInlinedPlugins")
    found = list(entries) if inlined_only else [*entries, *(_object(data) for data in folder_plugins)]
    if not found:
        raise InvalidArgument("there are no plugins")
    return NetworkList(
        name=network_name(document),
        versions=_versions(document),
        plugins=tuple(_plugin(entry) for entry in found),
        disable_check=_flag(document, "disableCheck"),
        disable_gc=_flag(document, "disableGC"),
        inlined_only=inlined_only,
    )


def _object(data: bytes | str) -> Json:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as failure:
        raise InvalidArgument(f"not JSON: {failure}") from failure
    if not isinstance(document, dict):
        raise InvalidArgument("not a JSON object")
    return document


def _plugin(entry: object) -> PluginConfig:
    if not isinstance(entry, dict):
        raise InvalidArgument("a plugin is not a JSON object")
    kind = entry.get("type")
    if not isinstance(kind, str) or not kind or "/" in kind or "\0" in kind or kind in (".", ".."):
        raise InvalidArgument(f"type {kind!r} is missing or not a plugin's name")
    capabilities = entry.get("capabilities") or {}
    if not isinstance(capabilities, dict):
        raise InvalidArgument(f"plugin {kind}: capabilities is not an object")
    wanted = frozenset(name for name, value in capabilities.items() if value is True)
    return PluginConfig(type=kind, capabilities=wanted, document=entry)


def _versions(document: Json) -> tuple[str, ...]:
    """The versions that the file allows and we support, best first."""
    named = document.get("cniVersion", DEFAULT_VERSION)
    listed = document.get("cniVersions", [])
    if not isinstance(listed, list):
        raise InvalidArgument("cniVersions is not a list")
    allowed = [named, *listed] if "cniVersion" in document or not listed else listed
    known = [version for version in reversed(VERSIONS) if version in allowed]
    if not known:
        raise InvalidArgument(f"cniVersion {', '.join(map(str, allowed))} is not one of {', '.join(VERSIONS)}")
    return tuple(known)


def _flag(document: Json, key: str) -> bool:
    """A boolean, which may be a string."""
    value = document.get(key, False)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise InvalidArgument(f"{key} is {value!r}, not true or false")
    return value
