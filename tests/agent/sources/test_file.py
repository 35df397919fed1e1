"""A folder of manifests: what becomes a pod, when a change is seen, and what a broken file does not do."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podwright.agent.pods.identity import CONFIG_HASH
from podwright.agent.sources.file import SIZE_LIMIT_BYTES, FileSource
from podwright.conformance.patience import patient
from podwright.errors import InvalidArgument
from podwright.k8s import codec
from podwright.k8s.objects import Pod


def read_pod(data: bytes, origin: str) -> Pod:
    try:
        return codec.decode(data, Pod)
    except InvalidArgument as failure:
        raise InvalidArgument(f"{origin}: {failure}") from failure


def manifest(name: str, **spec: object) -> bytes:
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "app:1"}], **spec},
    }
    return json.dumps(document).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "manifests"
    path.mkdir()
    return path


@pytest.fixture
def source(folder: Path) -> FileSource:
    return FileSource(str(folder), "Node1", read_pod, period_s=30)


def names(pods: list[Pod]) -> list[str]:
    return [pod.metadata.name for pod in pods]


async def until(sets: AsyncIterator[list[Pod]], wanted: list[str]) -> list[Pod]:
    async with asyncio.timeout(patient(60)):
        async for pods in sets:
            if names(pods) == wanted:
                return pods
    raise AssertionError("the sets have ended")


def test_each_file_is_a_static_pod(folder: Path, source: FileSource) -> None:
    (folder / "b.json").write_bytes(manifest("b"))
    (folder / "a.json").write_bytes(manifest("a"))
    (folder / ".hidden.json").write_bytes(manifest("hidden"))
    (folder / "more").mkdir()
    (folder / "more" / "c.json").write_bytes(manifest("c"))
    pods = source.read()
    assert names(pods) == ["a-node1", "b-node1"]
    pod = pods[0]
    assert pod.metadata.namespace == "default"
    assert pod.metadata.annotations[CONFIG_HASH] == pod.metadata.uid
    assert pod.spec.node_name == "Node1"
    assert pod.spec.tolerations[-1].operator == "Exists"
    assert pod.status.phase == "Pending"


def test_the_uid_follows_from_the_contents(folder: Path, source: FileSource) -> None:
    path = folder / "a.json"
    path.write_bytes(manifest("a"))
    (first,) = source.read()
    os.utime(path, (1, 1))
    (same,) = source.read()
    path.write_bytes(manifest("a", hostNetwork=True))
    (other,) = source.read()
    assert first.metadata.uid == same.metadata.uid
    assert first.metadata.uid != other.metadata.uid


def test_a_uid_in_the_manifest_is_kept(folder: Path, source: FileSource) -> None:
    document = json.loads(manifest("a"))
    document["metadata"]["uid"] = "my-own"
    (folder / "a.json").write_text(json.dumps(document))
    assert source.read()[0].metadata.uid == "my-own"


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        pytest.param({"uid": "../../../etc"}, "the pod UID '../../../etc' cannot be a part of a path", id="UID"),
        pytest.param({"uid": ".."}, "the pod UID '..' cannot be a part of a path", id="the UID .."),
        pytest.param({"uid": "u" * 300}, "cannot be a part of a path", id="a long UID"),
        pytest.param({"name": "../a"}, "metadata.name", id="name"),
        pytest.param({"name": "a" * 250}, "metadata.name", id="too long with the node's name"),
        pytest.param({"name": "a" * 220}, "use a shorter name", id="too long for the folder of logs"),
        pytest.param({"namespace": "../.."}, "metadata.namespace", id="namespace"),
        pytest.param({"namespace": "n" * 64}, "metadata.namespace", id="a long namespace"),
    ],
)
def test_what_would_leave_a_directory_is_no_pod(
    folder: Path, source: FileSource, metadata: dict[str, str], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    document = json.loads(manifest("a"))
    document["metadata"].update(metadata)
    (folder / "a.json").write_text(json.dumps(document))
    assert source.read() == []
    assert problem in caplog.text
    assert f"{folder}/a.json" in caplog.text


async def test_changes_are_seen_at_once(folder: Path, source: FileSource) -> None:
    sets = source.sets()
    await until(sets, [])
    (folder / "a.json").write_bytes(manifest("a"))
    await until(sets, ["a-node1"])
    (folder / "x.tmp").write_bytes(manifest("b"))
    os.rename(folder / "x.tmp", folder / "a.json")
    await until(sets, ["b-node1"])
    (folder / "a.json").unlink()
    await until(sets, [])


async def test_a_file_that_is_removed_and_made_again_is_gone_between(folder: Path, source: FileSource) -> None:
    (folder / "a.json").write_bytes(manifest("a"))
    (folder / "b.json").write_bytes(manifest("b"))
    sets = source.sets()
    await until(sets, ["a-node1", "b-node1"])
    (folder / "a.json").unlink()
    (folder / "a.json").write_bytes(manifest("a"))
    await until(sets, ["b-node1"])
    await until(sets, ["a-node1", "b-node1"])


async def test_a_file_that_is_replaced_by_its_like_stays(folder: Path, source: FileSource) -> None:
    (folder / "a.json").write_bytes(manifest("a"))
    sets = source.sets()
    await until(sets, ["a-node1"])
    (folder / ".new").write_bytes(manifest("a"))
    os.rename(folder / ".new", folder / "a.json")
    (folder / "b.json").write_bytes(manifest("b"))
    async with asyncio.timeout(patient(60)):
        async for pods in sets:
            assert "a-node1" in names(pods)
            if "b-node1" in names(pods):
                break


async def test_a_folder_that_comes_later_is_found(tmp_path: Path) -> None:
    later = tmp_path / "later"
    sets = FileSource(str(later), "node1", read_pod).sets()
    await until(sets, [])
    later.mkdir()
    (later / "a.json").write_bytes(manifest("a"))
    await until(sets, ["a-node1"])


async def test_one_file_is_watched_as_well(tmp_path: Path) -> None:
    path = tmp_path / "pod.json"
    path.write_bytes(manifest("a"))
    sets = FileSource(str(path), "node1", read_pod, period_s=0.2).sets()
    await until(sets, ["a-node1"])
    path.write_bytes(manifest("b"))
    await until(sets, ["b-node1"])


BROKEN = {
    "half a document": manifest("a")[:40],
    "nothing": b"",
    "not UTF-8": b"\xff\xfe{}",
    "too large": manifest("a") + b" " * SIZE_LIMIT_BYTES,
    "no name": manifest(""),
    "a pod that needs the API": manifest("a", serviceAccountName="me"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_read_leaves_the_pods_alone(folder: Path, source: FileSource, data: bytes) -> None:
    (folder / "a.json").write_bytes(manifest("a"))
    (folder / "b.json").write_bytes(manifest("b"))
    before = source.read()
    (folder / "a.json").write_bytes(data)
    assert source.read() == before
    (folder / "a.json").write_bytes(manifest("other"))
    assert names(source.read()) == ["other-node1", "b-node1"]


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_file_that_never_held_a_pod_holds_none(folder: Path, source: FileSource, data: bytes) -> None:
    (folder / "a.json").write_bytes(data)
    (folder / "b.json").write_bytes(manifest("b"))
    assert names(source.read()) == ["b-node1"]


def test_a_file_that_is_being_written_is_no_error(
    folder: Path, source: FileSource, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "a.yaml").write_text("")
    assert source.read() == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    (folder / "a.yaml").write_text("kind: Po")
    assert source.read() == []
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["ERROR"]


def test_what_is_no_file_is_passed_over(folder: Path, source: FileSource) -> None:
    os.mkfifo(folder / "fifo.json")
    (folder / "loop.json").symlink_to(folder / "loop.json")
    (folder / "gone.json").symlink_to(folder / "nowhere")
    (folder / "b.json").write_bytes(manifest("b"))
    assert names(source.read()) == ["b-node1"]


def test_a_folder_that_vanishes_ends_no_pod(folder: Path, source: FileSource) -> None:
    (folder / "a.json").write_bytes(manifest("a"))
    source.read()
    os.rename(folder, f"{folder}.away")
    assert names(source.read()) == ["a-node1"]
    os.rename(f"{folder}.away", folder)
    (folder / "a.json").unlink()
    assert source.read() == []


def test_a_file_that_cannot_be_read_is_not_read_again(folder: Path) -> None:
    """To take a large one apart takes seconds."""
    reads = []

    def reader(data: bytes, origin: str) -> Pod:
        reads.append(data)
        return read_pod(data, origin)

    source = FileSource(str(folder), "node1", reader)
    (folder / "a.json").write_bytes(b"{")
    for _ in range(3):
        assert source.read() == []
    assert reads == [b"{"]
    (folder / "a.json").write_bytes(manifest("a"))
    assert names(source.read()) == ["a-node1"]


def test_a_fault_of_the_reader_leaves_the_pods_alone(folder: Path) -> None:
    def reader(data: bytes, origin: str) -> Pod:
        if data == b"bad":
            raise ZeroDivisionError
        return read_pod(data, origin)

    source = FileSource(str(folder), "node1", reader)
    (folder / "a.json").write_bytes(manifest("a"))
    (folder / "b.json").write_bytes(manifest("b"))
    assert names(source.read()) == ["a-node1", "b-node1"]
    (folder / "a.json").write_bytes(b"bad")
    assert names(source.read()) == ["a-node1", "b-node1"]


async def test_a_manifest_that_takes_long_to_read_holds_nothing_up(folder: Path) -> None:
    beats, reading = 0, threading.Event()

    def reader(data: bytes, origin: str) -> Pod:
        reading.wait(patient(60))
        return read_pod(data, origin)

    (folder / "a.json").write_bytes(manifest("a"))
    waiting = asyncio.ensure_future(anext(FileSource(str(folder), "node1", reader).sets()))
    while beats < 10:
        await asyncio.sleep(0.01)
        beats += 1
    reading.set()
    assert names(await waiting) == ["a-node1"]
