"""Checkpoints through the whole daemon, on a host that seems to have CRIU, and on this one as it is."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import stat
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PodwrightError,
    Unimplemented,
    Unknown,
)
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright
from tests.runtime.checkpoint.standin import StandIn

pytestmark = pytest.mark.root
COUNT = ("sh", "-c", "echo mine > /written; rm /etc/passwd; echo ready; while :; do date; sleep 0.02; done")


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    programs = StandIn(tmp_path)
    yield programs
    programs.go_on()


@pytest.fixture
def able(fresh_podwright: FreshPodwright, standin: StandIn) -> Podwright:
    """A daemon on a host that can."""
    return fresh_podwright(standin.settings())


@pytest_asyncio.fixture
async def pod(able: Podwright, image: str) -> AsyncIterator[CasePod]:
    async with able.client() as client, running_pod(able.peer(client), image) as running:
        yield running


async def _checkpoint(pod: CasePod, container_id: str, location: Path, timeout: int = 0) -> None:
    request = api.CheckpointContainerRequest(container_id=container_id, location=str(location), timeout=timeout)
    await pod.cri.call(pod.cri.runtime.CheckpointContainer, request)


async def _checkpoint_pod(pod: CasePod, folder: Path, *container_ids: str, timeout_s: float | None = 60.0) -> None:
    request = api.CheckpointPodRequest(
        pod_sandbox_id=pod.id, output_path=str(folder), container_ids=container_ids or pod.containers
    )
    await pod.cri.call(pod.cri.runtime.CheckpointPod, request, timeout_s)


async def _goes_on(pod: CasePod, container_id: str) -> None:
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING
    before = pod.log(container_id)
    async with asyncio.timeout(patient(60)):
        while pod.log(container_id) == before:  # noqa: ASYNC110 # a log file tells nobody
            await asyncio.sleep(0.02)


async def _begun(standin: StandIn) -> None:
    async with asyncio.timeout(patient(60)):
        while not standin.began.exists():  # noqa: ASYNC110 # a file tells nobody
            await asyncio.sleep(0.01)


def _contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive, "r:") as tar:
        files = [(member, tar.extractfile(member)) for member in tar]
        return {member.name: file.read() if file else b"" for member, file in files}


async def test_the_archive_holds_everything_and_the_container_goes_on(pod: CasePod, tmp_path: Path) -> None:
    container_id = await pod.run_ready(COUNT)
    location = tmp_path / "checkpoint.tar"
    location.write_text("an older one")
    await _checkpoint(pod, container_id, location, timeout=60)
    await _goes_on(pod, container_id)
    assert stat.S_IMODE(location.stat().st_mode) == 0o600
    found = _contents(location)
    assert set(found) == {
        *("spec.dump", "config.dump", "status.dump", "status", "container.log", "dump.log", "stats-dump"),
        *("rootfs-diff.tar", "checkpoint", "checkpoint/inventory.img", "checkpoint/pages-1.img"),
    }
    assert json.loads(found["checkpoint/inventory.img"])["status"] == "paused"  # what runc saw at the dump
    with tarfile.open(fileobj=io.BytesIO(found["rootfs-diff.tar"])) as layer:
        written = layer.extractfile("written")
        assert written is not None
        assert written.read() == b"mine\n"
        assert layer.getmember("etc/.wh.passwd").isreg()
    config = json.loads(found["config.dump"])
    assert (config["id"], config["runtime"], config["rootfsImageName"]) == (container_id, "standin", pod.image)
    assert json.loads(found["spec.dump"])["process"]["args"] == list(COUNT)
    assert b"ready" in found["container.log"]


async def test_a_failed_dump_leaves_nothing(pod: CasePod, standin: StandIn, able: Podwright, tmp_path: Path) -> None:
    container_id = await pod.run_ready(COUNT)
    location = tmp_path / "out" / "checkpoint.tar"
    location.parent.mkdir()
    standin.fail(container_id)
    with pytest.raises(Unknown, match=r"criu failed: type NOTIFY errno 0: inet: Connected TCP socket"):
        await _checkpoint(pod, container_id, location)
    assert list(location.parent.iterdir()) == []
    assert list((able.root / "checkpoints").iterdir()) == []
    await _goes_on(pod, container_id)


async def test_a_late_dump_is_ended(pod: CasePod, standin: StandIn, tmp_path: Path) -> None:
    container_id = await pod.run_ready(COUNT)
    standin.hang()
    with pytest.raises(DeadlineExceeded):
        await _checkpoint(pod, container_id, tmp_path / "checkpoint.tar", timeout=1)
    await _goes_on(pod, container_id)
    standin.go_on()
    await _checkpoint(pod, container_id, tmp_path / "checkpoint.tar")


async def test_a_killed_daemon_s_containers_run_on(
    able: Podwright, pod: CasePod, standin: StandIn, tmp_path: Path
) -> None:
    container_id = await pod.run_ready(COUNT)
    standin.hang()
    call = asyncio.ensure_future(_checkpoint(pod, container_id, tmp_path / "checkpoint.tar"))
    await _begun(standin)
    able.kill9()
    with contextlib.suppress(PodwrightError):
        await call
    able.start()
    standin.go_on()
    await _goes_on(pod, container_id)
    assert list((able.root / "checkpoints").iterdir()) == []


async def test_a_paused_container_stays_paused(pod: CasePod, tmp_path: Path) -> None:
    container_id = await pod.run_ready(COUNT)
    await pod.cri.call(pod.cri.runtime.PauseContainer, api.PauseContainerRequest(container_id=container_id))
    await _checkpoint(pod, container_id, tmp_path / "checkpoint.tar")
    with pytest.raises(FailedPrecondition, match="paused"):
        await pod.exec(container_id, "true")
    await pod.cri.call(pod.cri.runtime.UnpauseContainer, api.UnpauseContainerRequest(container_id=container_id))
    await _goes_on(pod, container_id)


async def test_a_pod_is_captured_at_one_moment(pod: CasePod, standin: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    first, second = await pod.run_ready(COUNT), await pod.run_ready(COUNT)
    standin.hang()
    call = asyncio.ensure_future(_checkpoint_pod(pod, folder))
    await _begun(standin)
    for container_id in (first, second):  # while the first dump goes on, neither runs
        with pytest.raises(FailedPrecondition, match="paused"):
            await pod.exec(container_id, "true")
    standin.go_on()
    await call
    names = json.loads((folder / "pod.dump").read_bytes())["containers"]
    assert names == {"c0": f"{first}.tar", "c1": f"{second}.tar"}
    for container_id in (first, second):
        assert (
            _contents(folder / f"{container_id}.tar")["checkpoint/pages-1.img"]
            == f"pages of {container_id}\n".encode()
        )
        await _goes_on(pod, container_id)


async def test_a_pod_whose_last_dump_fails(pod: CasePod, standin: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    first, second = await pod.run_ready(COUNT), await pod.run_ready(COUNT)
    standin.fail(second)
    with pytest.raises(Unknown):
        await _checkpoint_pod(pod, folder)
    assert list(folder.iterdir()) == []
    for container_id in (first, second):
        await _goes_on(pod, container_id)


async def test_pods_that_are_refused(pod: CasePod, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    first, second = await pod.run_ready(COUNT), await pod.run_ready(COUNT)
    with pytest.raises(FailedPrecondition, match="container_ids"):
        await _checkpoint_pod(pod, folder, first)
    with pytest.raises(InvalidArgument, match="duplicates"):
        await _checkpoint_pod(pod, folder, first, first)
    with pytest.raises(InvalidArgument, match="deadline"):
        await _checkpoint_pod(pod, folder, first, second, timeout_s=None)
    with pytest.raises(NotFound):
        await _checkpoint_pod(pod, folder, first, "0" * 64)
    (folder / "something").touch()
    with pytest.raises(InvalidArgument, match="not empty"):
        await _checkpoint_pod(pod, folder, first, second)
    request = api.CheckpointPodRequest(pod_sandbox_id=pod.id, container_ids=[first], options={"speed": "high"})
    with pytest.raises(InvalidArgument, match="speed"):
        await pod.cri.call(pod.cri.runtime.CheckpointPod, request)


async def test_containers_and_places_that_are_refused(pod: CasePod, able: Podwright, tmp_path: Path) -> None:
    container_id = await pod.run_ready(COUNT)
    for location in ("relative", "/", f"{tmp_path}/a/../b", f"{tmp_path}/none/x", f"{able.root}/x", str(tmp_path)):
        with pytest.raises(InvalidArgument):
            await _checkpoint(pod, container_id, Path(location))
    with pytest.raises(InvalidArgument):
        await _checkpoint(pod, container_id, tmp_path / "x", timeout=-1)
    waiting = await pod.create()
    with pytest.raises(FailedPrecondition):
        await _checkpoint(pod, waiting, tmp_path / "x")


@pytest.mark.parametrize(
    ("replaced", "text", "reason"),
    [
        ("criu", None, "not a program|cannot be run"),
        ("criu", "#!/bin/sh\necho Version: 3.5\n", "CRIU 3.5 is older than 3.16"),
        (
            "criu",
            '#!/bin/sh\n[ "$1" = check ] && echo "Error: no namespaces" && exit 1\necho Version: 4.0\n',
            "no name",
        ),
        ("runtime", '#!/bin/sh\n[ "$1" = checkpoint ] && exit 1\nexec runc "$@"\n', "built without CRIU"),
    ],
    ids=["none", "old", "unfit kernel", "runtime without it"],
)
async def test_hosts_that_cannot(
    pod: CasePod, standin: StandIn, tmp_path: Path, replaced: str, text: str | None, reason: str
) -> None:
    container_id = await pod.run_ready(COUNT)
    (standin.folder / replaced).unlink()
    if text is not None:
        (standin.folder / replaced).write_text(text)
        (standin.folder / replaced).chmod(0o755)
    with pytest.raises(Unimplemented, match=reason) as caught:
        await _checkpoint(pod, container_id, tmp_path / "x.tar")
    assert str(caught.value).startswith("unknown method CheckpointContainer: ")
    await _goes_on(pod, container_id)
