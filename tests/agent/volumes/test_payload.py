"""The atomic writer: readers see one generation, whole."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.agent.volumes.payload import GENERATION, write_payload
from podwright.agent.volumes.plans import PayloadFile
from podwright.errors import InvalidArgument
from tests.agent.volumes.build import NOW_NS
from tests.faults.disk import SmallDisk


def files(contents: Mapping[str, bytes], mode: int = 0o644) -> list[PayloadFile]:
    return [PayloadFile(path=path, data=data, mode=mode) for path, data in contents.items()]


def write(volume: Path, contents: Mapping[str, bytes], *, mode: int = 0o644, group: int | None = None) -> bool:
    return write_payload(str(volume), files(contents, mode), group=group, now_ns=NOW_NS)


def visible(volume: Path) -> dict[str, bytes]:
    """The files as a container sees them: by the links."""
    found = {}
    for top in volume.iterdir():
        if top.name.startswith(".."):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file():
                found[str(path.relative_to(volume))] = path.read_bytes()
    return found


def generations(volume: Path) -> list[str]:
    return [path.name for path in volume.iterdir() if GENERATION.fullmatch(path.name)]


def identities(volume: Path) -> dict[str, tuple[int, int]]:
    paths = list(volume.rglob("*"))
    return {str(path): (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in paths}


def test_the_layout_is_the_kubelets(tmp_path: Path) -> None:
    assert write(tmp_path, {"a/b": b"1", "a/c": b"", "top": b"\0\xff"})
    (generation,) = generations(tmp_path)
    assert generation.startswith("..2023_11_14_22_13_20.")
    assert os.readlink(tmp_path / "..data") == generation
    assert os.readlink(tmp_path / "top") == "..data/top"
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert stat.S_IMODE((tmp_path / generation).stat().st_mode) == 0o755
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([generation, "..data", "a", "top"])


def test_modes_are_exact_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write(tmp_path, {"a/b": b"1"}, mode=0o4666)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o4666
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


@pytest.mark.root
def test_the_group_may_read_and_a_user_may_own(tmp_path: Path) -> None:
    owned = PayloadFile(path="token", data=b"t", mode=0o600, user=1234)
    write_payload(str(tmp_path), [owned, *files({"d/x": b"1"}, 0o400)], group=77, now_ns=NOW_NS)
    token, other, folder = ((tmp_path / name).stat() for name in ("token", "d/x", "d"))
    assert (token.st_uid, token.st_gid, stat.S_IMODE(token.st_mode)) == (1234, 77, 0o640)
    assert (other.st_uid, other.st_gid, stat.S_IMODE(other.st_mode)) == (0, 77, 0o440)
    assert (folder.st_gid, stat.S_IMODE(folder.st_mode)) == (77, 0o2755)


def test_the_same_payload_writes_nothing(tmp_path: Path) -> None:
    contents = {"a/b": b"1", "c": b"2"}
    write(tmp_path, contents)
    before = identities(tmp_path)
    assert not write(tmp_path, contents)
    assert identities(tmp_path) == before


def test_a_file_that_somebody_changed_is_written_again(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"right"})
    (tmp_path / "a").write_bytes(b"wrong")
    assert write(tmp_path, {"a": b"right"})
    assert visible(tmp_path) == {"a": b"right"}


def test_what_is_no_file_any_more_is_written_again(tmp_path: Path) -> None:
    contents = {"a": b"right", "empty": b""}
    write(tmp_path, contents)
    generation = tmp_path / os.readlink(tmp_path / "..data")
    for name, target in (("a", "/etc/hostname"), ("empty", None)):
        (generation / name).unlink()
        if target is not None:
            (generation / name).symlink_to(target)
        else:
            os.mkfifo(generation / name)
        assert write(tmp_path, contents)
        assert visible(tmp_path) == contents
        generation = tmp_path / os.readlink(tmp_path / "..data")


def test_what_is_no_more_goes_and_what_others_made_stays(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"1", "b/c": b"2"})
    (tmp_path / "nested").mkdir()
    (tmp_path / "own").symlink_to("elsewhere")
    write(tmp_path, {"b/d": b"3"})
    assert visible(tmp_path) == {"b/d": b"3"}
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["b", "nested", "own"]


def test_an_empty_payload_is_a_generation_as_well(tmp_path: Path) -> None:
    assert write(tmp_path, {})
    assert (tmp_path / "..data").is_dir()
    assert not write(tmp_path, {})


@pytest.mark.parametrize("path", ["../x", "/etc/x", "..data", "a/../../b"])
def test_nothing_is_written_for_a_path_that_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidArgument):
        write(tmp_path, {"ok": b"1", path: b"2"})
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_writer_are_mended(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"1", "b": b"2"})
    (tmp_path / "..2020_01_01_00_00_00.123").mkdir()
    (tmp_path / "..2020_01_01_00_00_00.123/half").write_bytes(b"x")
    (tmp_path / "..data_tmp").symlink_to("..2020_01_01_00_00_00.123")
    (tmp_path / "b").unlink()
    (tmp_path / "old").symlink_to("..data/old")
    assert not write(tmp_path, {"a": b"1", "b": b"2"})
    assert visible(tmp_path) == {"a": b"1", "b": b"2"}
    assert len(generations(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir())[1:] == ["..data", "a", "b"]


def test_a_data_link_that_leads_elsewhere_is_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"1")
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "..data").symlink_to("../outside")
    assert write(volume, {"a": b"1"})
    assert (outside / "a").read_bytes() == b"1"
    assert GENERATION.fullmatch(os.readlink(volume / "..data"))


NAMES = st.sampled_from(["a", "b", "d/x", "d/y", "d/e/z", "f/g"])
PAYLOADS = st.dictionaries(NAMES, st.binary(max_size=64), max_size=6)


@settings(max_examples=60)
@given(st.lists(PAYLOADS, min_size=1, max_size=6))
def test_after_each_write_exactly_its_files_are_seen(payloads: list[dict[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        volume = Path(folder)
        last: dict[str, bytes] | None = None
        for payload in payloads:
            assert write(volume, payload) is (payload != last)
            assert visible(volume) == payload
            assert len(generations(volume)) == 1
            last = payload


def test_a_reader_sees_one_generation_whole(tmp_path: Path) -> None:
    names = [f"f{index}" for index in range(8)]
    write(tmp_path, dict.fromkeys(names, b"0"))
    stop = threading.Event()

    def rewrite() -> None:
        for round_ in range(400):
            write(tmp_path, dict.fromkeys(names, str(round_).encode()))
        stop.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    looks = 0
    while not stop.is_set():
        if len(seen := set(_one_look(tmp_path, names))) > 0:
            assert len(seen) == 1
            looks += 1
    writer.join()
    assert looks > 0
    assert visible(tmp_path) == dict.fromkeys(names, b"399")


def _one_look(volume: Path, names: list[str]) -> Iterator[bytes]:
    """The files of the generation that `..data` names now; nothing when it was replaced meanwhile."""
    try:
        fd = os.open(volume / "..data", os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        contents = []
        for name in names:
            file = os.open(name, os.O_RDONLY, dir_fd=fd)
            contents.append(os.read(file, 100))
            os.close(file)
    except FileNotFoundError:
        return
    finally:
        os.close(fd)
    yield from contents


@pytest.mark.root
def test_a_full_disk_leaves_the_old_files(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "small", 8)
    try:
        volume = disk.path / "volume"
        volume.mkdir()
        write(volume, {"a": b"old"})
        disk.fill()
        with pytest.raises(OSError, match="No space left on device"):
            write(volume, {"a": b"n" * 100_000, "b": b"more"})
        assert visible(volume) == {"a": b"old"}
        assert len(generations(volume)) == 1
        disk.free()
        assert write(volume, {"a": b"new"})
        assert visible(volume) == {"a": b"new"}
    finally:
        disk.close()
