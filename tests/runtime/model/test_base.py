"""What every config is checked for: NULs, and paths that the kernel would refuse."""

from __future__ import annotations

import re

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import Resources, check_no_nul, check_path, field_with_nul
from podwright.runtime.model.container import ContainerConfig, ImageSpec, Mount

IMAGE = ImageSpec(image="i")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (ContainerConfig(name="a", image=IMAGE), ""),
        (ContainerConfig(name="a\0b", image=IMAGE), "name"),
        (ContainerConfig(name="a", image=ImageSpec(image="\0")), "image.image"),
        (ContainerConfig(name="a", image=IMAGE, args=("x", "y\0")), "args"),
        (ContainerConfig(name="a", image=IMAGE, envs=(("A", "v"), ("K", "v\0"))), "envs[K]"),
        (ContainerConfig(name="a", image=IMAGE, envs=(("K\0x", "v"),)), r"envs[K\x00x]"),
        (ContainerConfig(name="a", image=IMAGE, envs=(("K" * 90 + "\0", "v"),)), f"envs[{'K' * 80}]"),
        (
            ContainerConfig(name="a", image=IMAGE, resources=Resources(unified={"memory.high": "1\0"})),
            "resources.unified[memory.high]",
        ),
        (
            ContainerConfig(name="a", image=IMAGE, resources=Resources(hugepage_limits=(("2MB\0", 1),))),
            r"resources.hugepage_limits[2MB\x00]",
        ),
        (
            ContainerConfig(name="a", image=IMAGE, mounts=(Mount(container_path="/a", host_path="\0"),)),
            "mounts.host_path",
        ),
        (ContainerConfig(name="a", image=IMAGE, labels={"k": "v\0"}, annotations={"k\0": ""}), ""),
        (ContainerConfig(name="a", image=IMAGE, args=(r"\u0000",)), ""),
    ],
)
def test_nul(config: ContainerConfig, field: str) -> None:
    assert field_with_nul(config) == field
    if field:
        with pytest.raises(InvalidArgument, match=re.escape(f"c: {field} contains a NUL byte")):
            check_no_nul("c", config)
    else:
        check_no_nul("c", config)


@pytest.mark.parametrize("path", ["", "/", "/a/b", "a", "/" + "x" * 255, "/" + "ü" * 127, "/x" * 255])
def test_paths_that_can_be(path: str) -> None:
    check_path("p", path)


@pytest.mark.parametrize("path", ["/" + "x" * 256, "/" + "ü" * 128, "/x" * 256, ("/" + "x" * 200) * 21])
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(InvalidArgument, match="too long or too deep"):
        check_path("p", path)
