"""The output of plugins: results of all versions from 0.1, and errors. Pure."""

from __future__ import annotations

import json
from ipaddress import ip_interface
from typing import Any

import msgspec

TRY_AGAIN_LATER = 11
CONFIGURATION_CODES = frozenset({1, 2, 4, 6, 7})


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's failure. `code` is 0 if the output is not in CNI's format."""

    plugin: str
    code: int
    message: str
    details: str = ""

    def __str__(self) -> str:
        """The plugin, its message, and its code."""
        text = f"{self.message}: {self.details}" if self.details else self.message
        return f"plugin {self.plugin}: {text}" + (f" (CNI error {self.code})" if self.code else "")


def parse_result(output: bytes) -> dict[str, Any]:
    """The JSON object that a plugin printed. No output is an empty object. Raises ValueError."""
    if not output.strip():
        return {}
    try:
        document = json.loads(output)
    except RecursionError as failure:
        raise ValueError("nested too deeply") from failure
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 # one kind of failure for the caller
    return document


def parse_failure(plugin: str, returncode: int, stdout: bytes, stderr: bytes) -> Failure:
    """The failure of a plugin, from its output in any format."""
    try:
        document = parse_result(stdout)
    except ValueError:
        document = {}
    message, code, details = document.get("msg"), document.get("code"), document.get("details")
    if not isinstance(message, str) or not message:
        words = (stderr.strip() or stdout.strip()).decode(errors="replace")[-500:]
        ended = f"ended with {returncode}" if returncode >= 0 else f"was killed by signal {-returncode}"
        message = f"{ended}: {words}" if words else ended
    return Failure(
        plugin=plugin,
        code=code if isinstance(code, int) and not isinstance(code, bool) else 0,
        message=message,
        details=details if isinstance(details, str) else "",
    )


def supported_versions(output: bytes) -> frozenset[str] | None:
    """The versions in the output of VERSION, or None."""
    try:
        found = parse_result(output).get("supportedVersions")
    except ValueError:
        return None
    if not isinstance(found, list):
        return None
    return frozenset(version for version in found if isinstance(version, str)) or None


def pod_addresses(result: dict[str, Any], interface: str) -> tuple[str, ...]:
    """The addresses of the pod's interface with prefix lengths. IPv4 comes first, otherwise in the plugin's order.

    Raises ValueError for a result that violates the spec. An address without an interface belongs to the pod.
    """
    found = _legacy_addresses(result) if "ip4" in result or "ip6" in result else _addresses(result, interface)
    normal = [str(ip_interface(text)) for text in dict.fromkeys(found)]
    return tuple(sorted(normal, key=lambda address: ":" in address))


def _legacy_addresses(result: dict[str, Any]) -> list[str]:
    """The addresses in results of versions 0.1 and 0.2."""
    found = []
    for family in ("ip4", "ip6"):
        entry = result.get(family)
        if entry is not None:
            if not isinstance(entry, dict) or not isinstance(entry.get("ip"), str):
                raise ValueError(f"{family} has no ip")
            found.append(entry["ip"])
    return found


def _addresses(result: dict[str, Any], interface: str) -> list[str]:
    entries, interfaces = result.get("ips") or [], result.get("interfaces") or []
    if not isinstance(entries, list) or not isinstance(interfaces, list):
        raise ValueError("ips or interfaces is not a list")  # noqa: TRY004 # one kind of failure for the caller
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
            raise ValueError("an entry of ips has no address")  # noqa: TRY004 # as above
        if _belongs(entry.get("interface"), interfaces, interface):
            found.append(entry["address"])
    return found


def _belongs(index: object, interfaces: list[Any], name: str) -> bool:
    if index is None:
        return True
    if not isinstance(index, int) or not 0 <= index < len(interfaces) or not isinstance(interfaces[index], dict):
        raise ValueError(f"an entry of ips names interface {index!r}, which is not there")
    link = interfaces[index]
    return bool(link.get("sandbox")) and link.get("name") == name
