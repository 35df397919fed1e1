"""Seccomp profiles in Docker's JSON format, with includes and excludes, to the OCI spec's format.

The default profile is the one that the distribution ships for its container tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from podwright.errors import InvalidArgument

# uname's machine -> the profile's architecture names and the OCI spec's.
ARCHITECTURES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
}


def oci_seccomp(profile: dict[str, Any], *, machine: str, capabilities: Iterable[str], kernel: str) -> dict[str, Any]:
    """The OCI `linux.seccomp` of a profile, for processes with these capabilities.

    `machine` and `kernel` are uname's. Raises InvalidArgument if the profile has an unknown format.
    """
    try:
        short, oci_arch = ARCHITECTURES.get(machine, (machine, ""))
        facts = _Facts(short, frozenset(capabilities), _version(kernel))
        syscalls = [_rule(rule) for rule in profile.get("syscalls") or [] if _applies(rule, facts)]
        result: dict[str, Any] = {"defaultAction": profile["defaultAction"], "syscalls": syscalls}
        if profile.get("defaultErrnoRet") is not None:
            result["defaultErrnoRet"] = profile["defaultErrnoRet"]
        if architectures := _architectures(profile, oci_arch):
            result["architectures"] = architectures
        for key in ("flags", "listenerPath", "listenerMetadata"):
            if profile.get(key):
                result[key] = profile[key]
    except (KeyError, TypeError, AttributeError, ValueError) as failure:
        raise InvalidArgument(f"seccomp profile is malformed: {failure!r}") from failure
    return result


class _Facts:
    def __init__(self, arch: str, capabilities: frozenset[str], kernel: tuple[int, int]) -> None:
        self.arch = arch
        self.capabilities = capabilities
        self.kernel = kernel


def _applies(rule: dict[str, Any], facts: _Facts) -> bool:
    """Whether a rule applies to this architecture, kernel and capability set."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if (arches := includes.get("arches")) and facts.arch not in arches:
        return False
    if not set(includes.get("caps") or ()) <= facts.capabilities:
        return False
    if (minimum := includes.get("minKernel")) and facts.kernel < _version(minimum):
        return False
    if facts.arch in (excludes.get("arches") or ()):
        return False
    if set(excludes.get("caps") or ()) & facts.capabilities:
        return False
    limit = excludes.get("minKernel")
    return not (limit and facts.kernel >= _version(limit))


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    names = rule.get("names") or [rule["name"]]
    result: dict[str, Any] = {"names": list(names), "action": rule["action"]}
    if rule.get("args"):
        result["args"] = [{key: value for key, value in arg.items() if value is not None} for arg in rule["args"]]
    if rule.get("errnoRet") is not None:
        result["errnoRet"] = rule["errnoRet"]
    return result


def _architectures(profile: dict[str, Any], oci_arch: str) -> list[str]:
    for entry in profile.get("archMap") or []:
        if entry["architecture"] == oci_arch:
            return [oci_arch, *(entry.get("subArchitectures") or [])]
    return list(profile.get("architectures") or ([oci_arch] if oci_arch else []))


def _version(text: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", text)
    if not match:
        raise ValueError(f"kernel version {text!r}")
    return int(match[1]), int(match[2])
