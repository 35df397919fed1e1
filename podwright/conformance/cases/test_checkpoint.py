"""Checkpoints: an archive where host and OCI runtime can, UNIMPLEMENTED where they cannot."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, Unimplemented

UNKNOWN_CALL = pytest.mark.deviates("containerd", "1.6 came before the call")


async def _checkpoint(pod: CasePod, container_id: str, location: Path | str) -> None:
    request = api.CheckpointContainerRequest(container_id=container_id, location=str(location))
    await pod.cri.call(pod.cri.runtime.CheckpointContainer, request)


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_an_archive_or_a_clear_no(pod: CasePod, tmp_path: Path) -> None:
    container_id = await pod.run_ready()
    location = tmp_path / "checkpoint.tar"
    try:
        await _checkpoint(pod, container_id, location)
    except Unimplemented:
        assert list(tmp_path.iterdir()) == []
    else:
        with tarfile.open(location, "r:") as archive:
            assert {"config.dump", "spec.dump"} <= set(archive.getnames())
    assert (await pod.exec(container_id, "true")).exit_code == 0
    await pod.stop(container_id)
    assert (await pod.status(container_id)).exit_code == 0


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@UNKNOWN_CALL
@pytest.mark.deviates("podwright-docker", "answers UNIMPLEMENTED to every request")
async def test_what_cannot_be_checkpointed(pod: CasePod, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await _checkpoint(pod, "0" * 64, tmp_path / "x.tar")
    container_id = await pod.create()
    with pytest.raises(FailedPrecondition):
        await _checkpoint(pod, container_id, tmp_path / "x.tar")
    for location in ("", "relative.tar", f"{tmp_path}/none/x.tar"):
        with pytest.raises(InvalidArgument):
            await _checkpoint(pod, container_id, location)
    request = api.CheckpointPodRequest(pod_sandbox_id="0" * 64, output_path=str(tmp_path), container_ids=["x"])
    with pytest.raises(NotFound):
        await pod.cri.call(pod.cri.runtime.CheckpointPod, request)


async def test_pods_are_not_restored_by_halves(pod: CasePod, tmp_path: Path) -> None:
    request = api.RestorePodRequest(checkpoint_path=str(tmp_path), config=pod.config)
    with pytest.raises((Unimplemented, InvalidArgument)):
        await pod.cri.call(pod.cri.runtime.RestorePod, request)
