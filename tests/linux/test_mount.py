"""mountinfo parsing, and real overlay, bind and tmpfs mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux import mount
from podwright.linux.mount import MountPoint, Overlay, enclosing_mount, parse_mountinfo

INFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /run rw shared:5 - tmpfs tmpfs rw
31 30 0:26 /sub /run/with\\040space rw master:5 propagate_from:2 - tmpfs none rw
not a mount line
"""


def test_mountinfo_fields() -> None:
    root, run, space = parse_mountinfo(INFO)
    assert (root.target, root.filesystem, root.propagation) == ("/", "ext4", frozenset({"shared"}))
    assert run.mount_id == 30
    assert space.target == "/run/with space"
    assert space.root == "/sub"
    assert space.propagation == {"master", "propagate_from"}


@given(st.text())
def test_mountinfo_never_raises(text: str) -> None:
    parse_mountinfo("1 2 0:1 / / rw - " + text)
    parse_mountinfo(text.replace("-", " - "))


@pytest.mark.parametrize(
    ("path", "target"),
    [("/run/x", "/run"), ("/run", "/run"), ("/runner", "/"), ("/run/with space/a", "/run/with space"), ("/", "/")],
)
def test_enclosing_mount(path: str, target: str) -> None:
    found = enclosing_mount(parse_mountinfo(INFO), path)
    assert isinstance(found, MountPoint)
    assert found.target == target


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("a", "b", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "one").write_text("top")
    (tmp_path / "b" / "one").write_text("base")
    (tmp_path / "b" / "two").write_text("base")
    return tmp_path


@pytest.mark.root
@pytest.mark.parametrize("by", ["parts", "string"])
def test_overlay_both_ways(place: Path, by: str) -> None:
    overlay = Overlay(
        target=str(place / "merged"),
        lower=(str(place / "a"), str(place / "b")),
        upper=str(place / "upper"),
        work=str(place / "work"),
    )
    getattr(mount, f"_mount_overlay_by_{by}")(overlay)
    try:
        assert (place / "merged" / "one").read_text() == "top"
        (place / "merged" / "two").unlink()
        assert not (place / "merged" / "two").exists()
        assert (place / "b" / "two").exists()
    finally:
        mount.unmount(overlay.target)
    assert not (place / "merged" / "one").exists()


@pytest.mark.root
@pytest.mark.parametrize("by", ["parts", "string"])
def test_overlay_of_many_long_layers(place: Path, by: str) -> None:
    lower = []
    for number in range(100):
        layer = place / ("x" * 100 + str(number))
        layer.mkdir()
        (layer / f"f{number}").touch()
        lower.append(str(layer))
    overlay = Overlay(target=str(place / "merged"), lower=tuple(lower))
    getattr(mount, f"_mount_overlay_by_{by}")(overlay)
    try:
        assert len(os.listdir(place / "merged")) == 100
    finally:
        mount.unmount(overlay.target)


@pytest.mark.root
@pytest.mark.parametrize("by", ["parts", "string"])
def test_overlay_paths_may_hold_commas_and_colons(tmp_path: Path, by: str) -> None:
    for name in ("lo,w:er", "base", "merged"):
        (tmp_path / name).mkdir()
    (tmp_path / "lo,w:er" / "file").touch()
    overlay = Overlay(target=str(tmp_path / "merged"), lower=(str(tmp_path / "lo,w:er"), str(tmp_path / "base")))
    getattr(mount, f"_mount_overlay_by_{by}")(overlay)
    try:
        assert os.listdir(tmp_path / "merged") == ["file"]
    finally:
        mount.unmount(overlay.target)


@pytest.mark.root
def test_unmount_takes_everything_and_accepts_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        mount.mount_tmpfs(str(tmp_path), size_bytes=1 << 20, mode=0o755)
    mount.unmount(str(tmp_path))
    assert not any(point.target == str(tmp_path) for point in mount.read_mounts())
    mount.unmount(str(tmp_path))
    mount.unmount(str(tmp_path / "absent"))


@pytest.mark.root
def test_mounting_nothing_names_both_paths(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        mount.bind(str(tmp_path / "absent"), str(tmp_path))
