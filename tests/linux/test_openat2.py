"""Paths from images stay inside their root, whatever links they go through."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux import openat2

TARGETS = ("/a", "b", "../c", "../../d/x", "/b/../../e", "a/b/c", "/", "..")
PATHS = ("/a", "/a/b", "/b/../c", "/c/d/a", "/../a", "/d/../../x")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "root"
    (inside / "etc").mkdir(parents=True)
    (inside / "etc" / "passwd").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (inside / "absolute").symlink_to("/etc/passwd")
    (inside / "upwards").symlink_to("../../../etc/passwd")
    (inside / "escape").symlink_to("../secret")
    (inside / "magic").symlink_to("/proc/self/root/etc/passwd")
    (inside / "loop").symlink_to("loop")
    return inside


@pytest.mark.parametrize("name", ["etc/passwd", "/etc/passwd", "absolute", "upwards", "../etc/passwd"])
def test_links_resolve_inside(root: Path, name: str) -> None:
    assert openat2.read_in_root(str(root), name, 100) == b"inside"
    assert openat2.path_in_root(str(root), name) == str(root / "etc" / "passwd")


@pytest.mark.parametrize("name", ["escape", "magic", "absent", "etc/passwd/x"])
def test_what_is_not_inside_is_not_there(root: Path, name: str) -> None:
    assert openat2.read_in_root(str(root), name, 100) is None


def test_loops_are_errors(root: Path) -> None:
    with pytest.raises(OSError, match="loop"):
        openat2.read_in_root(str(root), "loop", 100)


def test_reads_are_bounded(root: Path) -> None:
    assert openat2.read_in_root(str(root), "etc/passwd", 3) == b"ins"


@pytest.mark.root
def test_a_fifo_does_not_block(root: Path) -> None:
    os.mkfifo(root / "fifo")
    assert openat2.read_in_root(str(root), "fifo", 100) == b""


OWNER = (os.getuid(), os.getgid())


def _make(root: Path, path: str) -> None:
    with openat2.opened_root(str(root)) as root_fd:
        openat2.make_directories_in_root(root_fd, path, OWNER)


@pytest.mark.parametrize(
    ("links", "path", "made"),
    [
        pytest.param({}, "/a/b/../c/./d", "a/c/d", id="plain"),
        pytest.param({"x": "/not/there"}, "/x", "not/there", id="absolute"),
        pytest.param({"x": "../../gone/../way"}, "/x/below", "way/below", id="upwards"),
        pytest.param({"x": "y", "y": "etc/z"}, "/x", "etc/z", id="a link to a link"),
        pytest.param({"x": "/etc", "etc/y": "../new"}, "/x/y", "new", id="a link through a link"),
    ],
)
def test_directories_are_made_at_the_ends_of_links(root: Path, links: dict[str, str], path: str, made: str) -> None:
    for name, target in links.items():
        (root / name).symlink_to(target)
    for _ in range(2):
        _make(root, path)
    assert (root / made).is_dir()
    assert openat2.path_in_root(str(root), path) == str(root / made)
    assert all((root / name).is_symlink() for name in links)
    assert sorted(entry.name for entry in root.parent.iterdir()) == ["root", "secret"]


@pytest.mark.parametrize(
    ("target", "error"),
    [
        pytest.param("/etc/passwd/x", errno.ENOTDIR, id="below a file"),
        pytest.param("x", errno.ELOOP, id="itself"),
        pytest.param("x/y", errno.ELOOP, id="below itself"),
        pytest.param("a/" * 1000, errno.ENAMETOOLONG, id="deep"),
    ],
)
def test_links_that_lead_to_no_directory(root: Path, target: str, error: int) -> None:
    (root / "x").symlink_to(target)
    with pytest.raises(OSError, match=os.strerror(error)):
        _make(root, "/x")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(TARGETS)), max_size=5), st.sampled_from(PATHS))
def test_whatever_the_links_nothing_is_made_outside(links: list[tuple[str, str]], path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        for name, target in dict(links).items():
            (root / name).symlink_to(target)
        try:
            _make(root, path)
        except OSError as failure:
            assert failure.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST)  # noqa: PT017 # either way is right
        else:
            assert Path(openat2.path_in_root(str(root), path)).is_dir()
        assert os.listdir(folder) == ["root"]


@pytest.mark.parametrize(
    ("path", "dangling"),
    [("/x", True), ("/x/below", True), ("/etc/x", False), ("/none/x", False), ("/etc", False), ("/to-etc/y", True)],
)
def test_dangling_links(root: Path, path: str, dangling: bool) -> None:
    (root / "x").symlink_to("/not/there")
    (root / "to-etc").symlink_to("/etc")
    (root / "etc" / "y").symlink_to("../../../none")
    with openat2.opened_root(str(root)) as root_fd:
        assert openat2.has_dangling_link(root_fd, path) is dangling
