"""Ranges of ids for pods with users of their own, and their files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.ports import PodUserNamespaces
from podwright.agent.resources import id_range
from podwright.agent.resources.id_range import IdRange, check_range, default_range, find_range, parse_range
from podwright.agent.resources.userns import UserNamespaceAllocator, decode, encode
from podwright.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from podwright.process import Command, Completed
from tests.agent.fakes.pods import pod

SMALL = IdRange(first=65536, count=3 * 65536)


def allocator(directory: Path, ids: IdRange = SMALL, max_pods: int = 3) -> UserNamespaceAllocator:
    made = UserNamespaceAllocator(str(directory), ids, max_pods)
    made.recover()
    return made


def first_ids(made: PodUserNamespaces, *names: str) -> list[int]:
    return [made.of(pod(name)).first_id for name in names]


def test_every_pod_has_its_own(tmp_path: Path) -> None:
    made = allocator(tmp_path)
    assert first_ids(made, "a", "b", "a", "c") == [65536, 131072, 65536, 196608]
    with pytest.raises(ResourceExhausted, match="could not find an empty slot"):
        made.of(pod("d"))
    made.release("uid-b")
    assert not (tmp_path / "uid-b" / "userns").exists()
    assert first_ids(made, "d") == [131072]
    made.release("uid-none")


def test_the_file_is_the_kubelets(tmp_path: Path) -> None:
    allocator(tmp_path).of(pod("a"))
    mapping = {"hostId": 65536, "containerId": 0, "length": 65536}
    path = tmp_path / "uid-a" / "userns"
    assert json.loads(path.read_bytes()) == {"uidMappings": [mapping], "gidMappings": [mapping]}
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["userns"]


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "uid-plain").mkdir(parents=True)
    (tmp_path / "file").touch()
    first_ids(allocator(tmp_path), "a", "b")
    again = allocator(tmp_path)
    again.release("uid-a")
    assert first_ids(again, "b", "c") == [131072, 65536]
    assert allocator(tmp_path / "nowhere").of(pod("x")).first_id == 65536


def test_ranges_of_pods_that_are_gone_are_released(tmp_path: Path) -> None:
    made = allocator(tmp_path)
    first_ids(made, "a", "b")
    made.retain({"uid-b"})
    assert first_ids(made, "c") == [65536]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "invalid user namespace mappings file"),
        (b"{}", "invalid user namespace mappings file"),
        (encode(PodUserNamespace(first_id=65537, length=65536)), "are not a piece of 65536"),
        (encode(PodUserNamespace(first_id=65536, length=1)), "are not a piece of 65536"),
        (encode(PodUserNamespace(first_id=65536 * 9, length=65536)), "is out of range"),
        (encode(PodUserNamespace(first_id=131072, length=65536)), 'range picked for pod "uid-z" already taken'),
    ],
)
def test_a_record_that_is_not_ours_stops_the_agent(tmp_path: Path, data: bytes, message: str) -> None:
    first_ids(allocator(tmp_path), "a", "b")
    (tmp_path / "uid-z").mkdir()
    (tmp_path / "uid-z" / "userns").write_bytes(data)
    with pytest.raises(FailedPrecondition, match=message):
        allocator(tmp_path)


def test_a_record_that_appeared_meanwhile_counts(tmp_path: Path) -> None:
    made = allocator(tmp_path)
    (tmp_path / "uid-a").mkdir()
    (tmp_path / "uid-a" / "userns").write_bytes(encode(PodUserNamespace(first_id=196608, length=65536)))
    assert first_ids(made, "a") == [196608]


def test_a_range_that_cannot_be_recorded_is_not_given(tmp_path: Path) -> None:
    made = allocator(tmp_path)
    (tmp_path / "uid-a").touch()
    with pytest.raises(FailedPrecondition, match="user namespace of pod uid-a"):
        made.of(pod("a"))
    assert first_ids(made, "b") == [65536]
    with pytest.raises(InvalidArgument, match="cannot be a part of a path"):
        made.of(pod("x", uid="../x"))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_records_come_back(first_id: int, length: int) -> None:
    users = PodUserNamespace(first_id=first_id, length=length)
    assert decode(encode(users)) == users


@given(st.binary())
def test_any_file_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgument):
        decode(data)


def test_ranges() -> None:
    assert default_range() == IdRange(first=65536, count=2**32 - 65536)
    check_range(default_range(), 65535)
    assert parse_range("0: kubelet 65536 2147483648\n") == IdRange(first=65536, count=2**31)
    for text in ("", "0: kubelet 1", "0: kubelet a 2", "0: kubelet 1 2\n1: kubelet 3 4"):
        with pytest.raises(FailedPrecondition, match="is not one range"):
            parse_range(text)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (IdRange(first=65536, count=65536, per_pod=1000), "length 1000 is not a multiple of 65536"),
        (IdRange(first=70000, count=65536), "first id 70000 is not a multiple of 65536"),
        (IdRange(first=0, count=65536), "first id 0 must be 65536 or more"),
        (IdRange(first=65536, count=70000), "the number of ids 70000 is not a multiple of 65536"),
        (IdRange(first=65536, count=2**32), "go beyond"),
        (IdRange(first=65536, count=65536 * 109), "are not enough to support 110 pods"),
    ],
)
def test_ranges_that_pods_cannot_have(ids: IdRange, message: str) -> None:
    with pytest.raises(FailedPrecondition, match=message):
        check_range(ids, 110)


class Getsubids:
    """A ProcessRunner that answers for getsubids."""

    def __init__(self, users: bytes, groups: bytes, returncode: int = 0) -> None:
        self._answers = {("getsubids", "kubelet"): users, ("getsubids", "-g", "kubelet"): groups}
        self._returncode = returncode

    async def run(self, command: Command) -> Completed:
        return Completed(returncode=self._returncode, stdout=self._answers[command.argv], stderr=b"no answer")

    def start(self, command: Command) -> object:
        raise AssertionError(command)


LINE = b"0: kubelet 131072 65536000\n"


async def test_the_users_range(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await find_range(Getsubids(LINE, LINE)) == default_range()  # type: ignore[arg-type] # nothing is started
    monkeypatch.setattr(id_range, "_user_exists", lambda: True)
    monkeypatch.setattr(id_range, "_is_installed", lambda: True)
    assert await find_range(Getsubids(LINE, LINE)) == IdRange(first=131072, count=65536000)  # type: ignore[arg-type]
    with pytest.raises(FailedPrecondition, match="mismatched subuids and subgids"):
        await find_range(Getsubids(LINE, b""))  # type: ignore[arg-type] # as above
    with pytest.raises(FailedPrecondition, match="no answer"):
        await find_range(Getsubids(LINE, LINE, returncode=1))  # type: ignore[arg-type] # as above
