"""Pods from checkpoints through the whole daemon; the stand-in's restore begins the program anew."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.pods import CasePod, remove_pod, running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PodwrightError, Unknown
from tests.faults.audit import settled
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright
from tests.runtime.checkpoint.standin import StandIn

pytestmark = pytest.mark.root
WROTE = ("sh", "-c", "test -e /written && echo again; echo mine > /written; rm -f /etc/passwd; echo ready; sleep 7777")
NAMES = ("c0", "c1")
Contents = dict[str, bytes]


@pytest.fixture
def able(fresh_podwright: FreshPodwright, tmp_path: Path) -> Podwright:
    """A daemon on a host that can."""
    programs = tmp_path / "programs"
    programs.mkdir()
    return fresh_podwright(StandIn(programs).settings())


@pytest_asyncio.fixture
async def pod(able: Podwright, image: str) -> AsyncIterator[CasePod]:
    async with able.client() as client, running_pod(able.peer(client), image) as running:
        yield running


@pytest_asyncio.fixture
async def saved(pod: CasePod, tmp_path: Path) -> Path:
    """The checkpoint of a pod with two containers."""
    folder = tmp_path / "saved"
    folder.mkdir()
    ids = [await pod.run_ready(WROTE, name=name) for name in NAMES]
    request = api.CheckpointPodRequest(pod_sandbox_id=pod.id, output_path=str(folder), container_ids=ids)
    await pod.cri.call(pod.cri.runtime.CheckpointPod, request, 60.0)
    return folder


def _request(pod: CasePod, folder: Path, **fields: object) -> api.RestorePodRequest:
    """The same pod under another name."""
    config = api.PodSandboxConfig()
    config.CopyFrom(pod.config)
    config.metadata.name += "-restored"
    containers = [
        api.ContainerConfig(
            metadata=api.ContainerMetadata(name=name),
            image=api.ImageSpec(image=pod.image),
            command=WROTE,
            log_path=f"{name}-restored.log",
        )
        for name in NAMES
    ]
    return api.RestorePodRequest(
        **{"checkpoint_path": str(folder), "config": config, "container_configs": containers, **fields}  # type: ignore[arg-type] # protobuf checks it
    )


async def _restore(pod: CasePod, request: api.RestorePodRequest) -> api.RestorePodResponse:
    return await pod.cri.call(pod.cri.runtime.RestorePod, request, 60.0)


def _rewrite(archive: Path, change: Callable[[Contents], Contents]) -> None:
    with tarfile.open(archive, "r:") as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}  # type: ignore[union-attr] # regular ones are files
    with tarfile.open(archive, "w") as tar:
        for name, data in change(contents).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


async def test_containers_go_on_with_what_they_wrote(
    pod: CasePod, saved: Path, able: Podwright, tmp_path: Path
) -> None:
    made = await _restore(pod, _request(pod, saved))
    ids = {each.name: each.container_id for each in made.restored_containers}
    assert set(ids) == set(NAMES)
    for container_id in ids.values():
        assert (await pod.status(container_id)).state == api.CONTAINER_CREATED
        await pod.start(container_id)
        assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING
        assert (await pod.exec(container_id, "cat", "/written")).stdout == b"mine\n"
        assert (await pod.exec(container_id, "test", "-e", "/etc/passwd")).exit_code == 1
        assert not (able.root / "containers" / container_id / "checkpoint").exists()
    restored = (tmp_path / "programs" / "restored").read_text().split()
    assert sorted(restored[2::3]) == sorted(pod.containers)  # each from the images of its own
    await pod.stop(ids["c0"], timeout=0)
    assert (await pod.status(ids["c0"])).exit_code == 137
    assert list((able.root / "restores").iterdir()) == []
    await remove_pod(pod.cri, made.pod_sandbox_id)
    await remove_pod(pod.cri, pod.id)
    assert settled(able) == []


async def test_the_same_pod_is_not_restored_twice(pod: CasePod, saved: Path) -> None:
    request = _request(pod, saved)
    made = await _restore(pod, request)
    with pytest.raises(AlreadyExists):
        await _restore(pod, request)
    status = await pod.cri.call(
        pod.cri.runtime.PodSandboxStatus, api.PodSandboxStatusRequest(pod_sandbox_id=made.pod_sandbox_id)
    )
    assert (status.status.state, len(status.containers_statuses)) == (api.SANDBOX_READY, 2)
    await remove_pod(pod.cri, made.pod_sandbox_id)


async def test_a_failed_restore_is_a_failed_start(pod: CasePod, saved: Path) -> None:
    _rewrite(_archive(saved, "c0"), lambda contents: contents | {"checkpoint/pages-1.img": b""})
    made = await _restore(pod, _request(pod, saved))
    ids = {each.name: each.container_id for each in made.restored_containers}
    with pytest.raises(Unknown):
        await pod.start(ids["c0"])
    assert (await pod.status(ids["c0"])).reason == "StartError"
    await pod.start(ids["c1"])
    await remove_pod(pod.cri, made.pod_sandbox_id)


def _archive(folder: Path, name: str) -> Path:
    listed: dict[str, str] = json.loads((folder / "pod.dump").read_bytes())["containers"]
    return folder / listed[name]


def _not_tar(archive: Path) -> None:
    archive.write_bytes(b"nothing of the kind" * 100)


def _truncated(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:1500])


def _absent(archive: Path) -> None:
    archive.unlink()


def _linked(archive: Path) -> None:
    archive.rename(archive.with_suffix(".moved"))
    archive.symlink_to(archive.with_suffix(".moved"))


def _without_images(archive: Path) -> None:
    _rewrite(archive, lambda contents: {name: data for name, data in contents.items() if "checkpoint/" not in name})


def _climbing(archive: Path) -> None:
    _rewrite(archive, lambda contents: contents | {"checkpoint/..": b"x"})


def _hostile_layer(archive: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../outside"))
    _rewrite(archive, lambda contents: contents | {"rootfs-diff.tar": layer.getvalue()})


def _other_image(archive: Path) -> None:
    _rewrite(archive, lambda contents: contents | {"status.dump": b'{"image_id": "sha256:0000"}'})


@pytest.mark.parametrize(
    "spoil",
    [_not_tar, _truncated, _absent, _linked, _without_images, _climbing, _hostile_layer, _other_image],
    ids=lambda spoil: spoil.__name__.strip("_"),
)
async def test_a_spoiled_archive_leaves_nothing(
    pod: CasePod, saved: Path, able: Podwright, spoil: Callable[[Path], None]
) -> None:
    spoil(_archive(saved, "c1"))
    with pytest.raises((InvalidArgument, FailedPrecondition, OSError, PodwrightError)) as refused:
        await _restore(pod, _request(pod, saved))
    assert isinstance(refused.value, InvalidArgument | FailedPrecondition), refused.value
    listed = await pod.cri.call(pod.cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    assert [item.id for item in listed.items] == [pod.id]
    assert list((able.root / "restores").iterdir()) == []
    await remove_pod(pod.cri, pod.id)
    assert settled(able) == []


async def test_requests_that_are_refused(pod: CasePod, saved: Path, tmp_path: Path) -> None:
    good = _request(pod, saved)
    one, two = good.container_configs
    refused: tuple[dict[str, object], ...] = (
        {"checkpoint_path": "relative"},
        {"checkpoint_path": str(tmp_path / "none")},
        {"checkpoint_path": str(tmp_path)},
        {"options": {"quick": "yes"}},
        {"runtime_handler": "nobody"},
        {"container_configs": [one]},
        {"container_configs": [one, one]},
        {"container_configs": []},
    )
    for fields in refused:
        with pytest.raises(InvalidArgument):
            await _restore(pod, _request(pod, saved, **fields))
    with pytest.raises(InvalidArgument, match="deadline"):
        await pod.cri.call(pod.cri.runtime.RestorePod, good, None)
    two.image.image = "registry.invalid/nothing:1"
    with pytest.raises(NotFound):
        await _restore(pod, _request(pod, saved, container_configs=[one, two]))
    listed = await pod.cri.call(pod.cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    assert [item.id for item in listed.items] == [pod.id]
