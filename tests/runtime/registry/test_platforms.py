from __future__ import annotations

import pytest

from podwright.runtime.registry.platforms import AMD64_LEVELS, Platform, host_platforms, normalised, platforms_of

V2 = AMD64_LEVELS[0][1]
V3 = V2 | AMD64_LEVELS[1][1]


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", set(), ["linux/amd64", "linux/386"]),
        ("x86_64", V2, ["linux/amd64/v2", "linux/amd64", "linux/386"]),
        ("x86_64", V3, ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]),
        ("x86_64", V3 - {"popcnt"}, ["linux/amd64", "linux/386"]),
        ("aarch64", set(), ["linux/arm64", *(f"linux/arm/v{n}" for n in (8, 7, 6, 5))]),
        ("armv7l", set(), ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        ("armv6l", set(), ["linux/arm/v6", "linux/arm/v5"]),
        ("riscv64", set(), ["linux/riscv64"]),
    ],
)
def test_best_first(machine: str, flags: set[str], expected: list[str]) -> None:
    assert [str(one) for one in platforms_of(machine, flags)] == expected


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64/v3", "linux/amd64/v3"),
        ("Linux/AMD64/V2", "linux/amd64/v2"),
        ("linux/i386", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_normalised(written: str, meant: str) -> None:
    system, architecture, variant = [*written.split("/"), ""][:3]
    assert str(normalised(Platform(os=system, architecture=architecture, variant=variant))) == meant


def test_this_machine() -> None:
    assert host_platforms()
