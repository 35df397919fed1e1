"""The kubelet's files of allocated and actuated resources."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from podwright.agent.allocation import checkpoint
from podwright.agent.allocation.records import AllocationRecords
from podwright.agent.pods.allocation import PodAllocation
from podwright.errors import InvalidArgument
from podwright.k8s.objects import ResourceRequirements

SOME = PodAllocation(
    containers={"main": ResourceRequirements(requests={"cpu": "100m"}, limits={"memory": "64Mi"})},
    pod=ResourceRequirements(limits={"cpu": "1"}),
)
# As a kubelet of 1.36 writes it: the text within is Go's, with null for what is not there.
KUBELET_TEXT = (
    '{"entries":{"uid-a":{"ContainerResources":{"main":{"limits":{"memory":"64Mi"},"requests":{"cpu":"100m"}}},'
    '"PodLevelResources":null}}}'
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    assert checkpoint.read(path) == {}
    checkpoint.write(path, {"uid-a": SOME, "uid-b": PodAllocation()})
    assert checkpoint.read(path) == {"uid-a": SOME, "uid-b": PodAllocation()}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600


def test_a_kubelet_s_file_is_read() -> None:
    content = json.dumps({"data": KUBELET_TEXT, "checksum": checkpoint.checksum(KUBELET_TEXT)})
    assert checkpoint.decode(content.encode()) == {"uid-a": PodAllocation(containers=SOME.containers)}


def test_the_checksum_is_a_kubelet_s() -> None:
    """As a kubelet 1.36 has written it."""
    text = (
        '{"entries":{"08d87ba8-82e0-4727-9cb3-1b4763b8f669":{"ContainerResources":{"a":{"limits":{"cpu":"1600m",'
        '"memory":"100Mi"},"requests":{"cpu":"1500m","memory":"50Mi"}}},"PodLevelResources":null},'
        '"6c0cf4fd-975a-47d1-bae7-5eab7b604f85":{"ContainerResources":{"a":{"requests":{"cpu":"300m"}}},'
        '"PodLevelResources":null}}}'
    )
    assert checkpoint.checksum(text) == 960741936


def test_the_file_has_a_kubelet_s_shape() -> None:
    file = json.loads(checkpoint.encode({"uid-a": SOME}))
    assert set(file) == {"data", "checksum"}
    assert json.loads(file["data"])["entries"]["uid-a"] == {
        "ContainerResources": {"main": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "100m"}}},
        "PodLevelResources": {"limits": {"cpu": "1"}},
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"not json", b'{"data":"{}","checksum":1}', b'{"data":1,"checksum":1}', b"\xff"],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidArgument):
        checkpoint.decode(content)
    path = tmp_path / "state"
    path.write_bytes(content)
    assert checkpoint.read(str(path)) == {}
    assert not path.exists()
    assert (tmp_path / "state.damaged").read_bytes() == content


async def test_records_are_kept_over_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    records = AllocationRecords(path)
    records.put("uid-a", SOME)
    records.put_container("uid-b", "main", ResourceRequirements(limits={"cpu": "1"}))
    records.put_pod_level("uid-b", ResourceRequirements(limits={"cpu": "2"}))
    await records.saved()
    again = AllocationRecords(path)
    again.recover()
    assert again.get("uid-a") == SOME
    assert again.get("uid-b") == PodAllocation(
        containers={"main": ResourceRequirements(limits={"cpu": "1"})}, pod=ResourceRequirements(limits={"cpu": "2"})
    )
    again.retain({"uid-a"})
    assert again.get("uid-b") is None


async def test_records_of_one_turn_share_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(checkpoint, "write", lambda _path, pods: written.append(len(pods)))
    records = AllocationRecords(str(tmp_path / "state"))

    async def start(uid: str) -> None:
        records.put(uid, SOME)
        await records.saved()
        assert written, "nothing may be started before its record is in the file"

    await asyncio.gather(*(start(f"uid-{number}") for number in range(3)))
    assert written == [3]
    await start("uid-0")
    assert written == [3]
    await start("uid-3")
    assert written == [3, 4]


async def test_a_full_disk_does_not_stop_pods(tmp_path: Path) -> None:
    records = AllocationRecords(str(tmp_path / "absent" / "state"))
    records.put("uid-a", SOME)
    await records.saved()
    assert records.get("uid-a") == SOME
