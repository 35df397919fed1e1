"""Platforms: their names in images, and which ones this machine runs, best first (containerd's rules).

Pure, except for `host_platforms`.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence

from podwright.runtime.registry.nulls import Nullable, NullsAsDefaults

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "386",
    "i386": "386",
    "loongarch64": "loong64",
}
# x86-64 psABI: the CPU flags that each level adds, as in /proc/cpuinfo.
AMD64_LEVELS = (
    ("v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    ("v3", {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}),
    ("v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)
ARM_VARIANTS = ("v8", "v7", "v6", "v5")
# Other names for an architecture in images, and the variant that the name implies.
ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
# Synonyms of variants, by architecture.
VARIANTS = {
    "amd64": {"v1": ""},
    "arm64": {"8": "", "v8": ""},
    "arm": {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"},
}


class Platform(NullsAsDefaults, frozen=True, kw_only=True):
    """What an image runs on."""

    architecture: Nullable[str] = ""
    os: Nullable[str] = ""
    variant: Nullable[str] = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def normalised(platform: Platform) -> Platform:
    """The same platform with the names that `platforms_of` uses."""
    word, variant = platform.architecture.lower(), platform.variant.lower()
    architecture, implied = ALIASES.get(word, (word, ""))
    variant = implied or variant
    variant = VARIANTS.get(architecture, {}).get(variant, variant)
    return Platform(architecture=architecture, os=platform.os.lower(), variant=variant)


def host_platforms() -> list[Platform]:
    """The platforms that this machine runs."""
    machine = platform.machine()
    flags: set[str] = set()
    if machine == "x86_64":
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            found = re.search(r"^flags\s*:(.*)$", file.read(), re.MULTILINE)
        flags = set(found[1].split()) if found else set()
    return platforms_of(machine, flags)


def platforms_of(machine: str, flags: set[str]) -> list[Platform]:
    """The platforms that a machine (uname's name) with these CPU flags runs, normalised."""
    architecture = ARCHITECTURES.get(machine, machine)
    if architecture == "amd64":
        levels = [""]
        for level, needed in AMD64_LEVELS:
            if not needed <= flags:
                break
            levels.append(level)
        return [*_variants("amd64", levels[::-1]), *_variants("386", [""])]
    if architecture == "arm64":
        return [*_variants("arm64", [""]), *_variants("arm", ARM_VARIANTS)]
    if architecture == "arm":
        newest = "v" + machine[4:5]
        return _variants("arm", [one for one in ARM_VARIANTS if one <= newest])
    return _variants(architecture, [""])


def _variants(architecture: str, variants: Sequence[str]) -> list[Platform]:
    return [Platform(architecture=architecture, os="linux", variant=variant) for variant in variants]
