from __future__ import annotations

import pytest

from podwright.runtime.registry.platforms import AMD64_LEVELS, host_platforms, platforms_of

V2 = AMD64_LEVELS[0][1]
V3 = V2 | AMD64_LEVELS[1][1]


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", set(), ["linux/amd64/v1", "linux/amd64", "linux/386"]),
        ("x86_64", V2, ["linux/amd64/v2", "linux/amd64/v1", "linux/amd64", "linux/386"]),
        ("x86_64", V3 - {"popcnt"}, ["linux/amd64/v1", "linux/amd64", "linux/386"]),
        ("aarch64", set(), ["linux/arm64/v8", "linux/arm64", *(f"linux/arm/v{n}" for n in (8, 7, 6, 5)), "linux/arm"]),
        ("armv7l", set(), ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5", "linux/arm"]),
        ("armv6l", set(), ["linux/arm/v6", "linux/arm/v5", "linux/arm"]),
        ("riscv64", set(), ["linux/riscv64"]),
    ],
)
def test_best_first(machine: str, flags: set[str], expected: list[str]) -> None:
    assert [str(one) for one in platforms_of(machine, flags)] == expected


def test_this_machine() -> None:
    assert host_platforms()
