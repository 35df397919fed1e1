"""Host paths of mounts: resolved, made, and what their propagation becomes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.errors import InvalidArgument
from podwright.linux import libc, mount
from podwright.runtime.container.filesystem import sources
from podwright.runtime.model.container import ContainerConfig, ImageSpec, Mount, Propagation

OURS = ("/nowhere/of/ours",)


def _config(path: Path, propagation: Propagation = Propagation.PRIVATE) -> ContainerConfig:
    wanted = Mount(container_path="/m", host_path=str(path), propagation=propagation)
    return ContainerConfig(name="c", image=ImageSpec(image="i"), mounts=(wanted,))


@pytest.fixture(params=["shared", "slave", "private"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A tmpfs that propagates like that."""
    target = tmp_path / "m"
    target.mkdir()
    mount.mount_tmpfs(str(target), size_bytes=1 << 20, mode=0o755)
    libc.mount("none", str(target), None, mount.MS_SHARED, None)
    copy = tmp_path / "copy"
    copy.mkdir()
    mount.bind(str(target), str(copy))
    flags = {"shared": mount.MS_SHARED, "slave": mount.MS_SLAVE, "private": mount.MS_PRIVATE}
    libc.mount("none", str(copy), None, flags[request.param], None)
    yield copy, request.param
    mount.unmount(str(copy))
    mount.unmount(str(target))


def test_links_are_resolved_and_missing_directories_made(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert sources.resolve(_config(tmp_path / "link"), ours=OURS)[0].host_path == str(tmp_path / "real")
    made = sources.resolve(_config(tmp_path / "a" / "b"), ours=OURS)[0].host_path
    assert Path(made).is_dir()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgument, match="cannot make host path"):
        sources.resolve(_config(tmp_path / "file" / "below"), ours=OURS)


@pytest.mark.root
@pytest.mark.parametrize(
    ("wanted", "possible"),
    [
        (Propagation.PRIVATE, {"shared", "slave", "private"}),
        (Propagation.HOST_TO_CONTAINER, {"shared", "slave"}),
        (Propagation.BIDIRECTIONAL, {"shared"}),
    ],
)
def test_propagation_needs_a_mount_that_has_it(
    mounted: tuple[Path, str], wanted: Propagation, possible: set[str]
) -> None:
    path, kind = mounted
    if kind in possible:
        assert sources.resolve(_config(path, wanted), ours=OURS)[0].propagation is wanted
        return
    with pytest.raises(InvalidArgument, match="not shared"):
        sources.resolve(_config(path, wanted), ours=OURS)


@pytest.mark.root
def test_who_mounts_our_directories_lets_go_of_what_we_unmount(mounted: tuple[Path, str]) -> None:
    path, kind = mounted
    for ours, follows in ((str(path / "state"), kind != "private"), (str(path), kind != "private"), ("/other", False)):
        resolved = sources.resolve(_config(path), ours=(ours,))[0].propagation
        assert resolved is (Propagation.HOST_TO_CONTAINER if follows else Propagation.PRIVATE)
