"""Mounts that name an image: its tree, read-only, in the container."""

from __future__ import annotations

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

pytestmark = pytest.mark.deviates("containerd", "1.6 came before image volumes")


IN_THE_POD = "registry.example/volume:1"  # how it is asked for makes no difference


def _spec(named: str) -> api.ImageSpec:
    return api.ImageSpec(image=named, user_specified_image=IN_THE_POD)


def _volume(named: str, sub_path: str = "", **fields: object) -> api.Mount:
    given = {"container_path": "/volume", "readonly": True, "image": _spec(named)}
    return api.Mount(**{**given, "image_sub_path": sub_path, **fields})  # type: ignore[arg-type] # keywords of a case


async def _image(pod: CasePod) -> api.Image:
    request = api.ImageStatusRequest(image=api.ImageSpec(image=pod.image))
    return (await pod.cri.call(pod.cri.images.ImageStatus, request)).image


@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_content_is_there_to_read_and_run_but_not_to_write(pod: CasePod) -> None:
    container = await pod.run_ready(mounts=[_volume(pod.image)])
    assert (await pod.exec(container, "ls", "/volume/etc/passwd")).exit_code == 0
    assert (await pod.exec(container, "/volume/bin/busybox", "echo", "runs")).stdout == b"runs\n"
    refused = await pod.exec(container, "touch", "/volume/x")
    assert refused.exit_code != 0
    assert b"Read-only file system" in refused.stderr


@pytest.mark.deviates("cri-o", "does not tell the sub-path")
@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_status_tells_which_image(pod: CasePod) -> None:
    container = await pod.create(mounts=[_volume(pod.image, "etc")])
    [mount] = (await pod.status(container)).mounts
    assert (mount.container_path, mount.readonly, mount.image_sub_path) == ("/volume", True, "etc")
    assert mount.image.image == pod.image
    assert mount.image.image_ref == (await _image(pod)).id


@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_every_way_to_name_the_image(pod: CasePod) -> None:
    image = await _image(pod)
    names = [image.id, image.id.removeprefix("sha256:")[:16], image.repo_tags[0], image.repo_digests[0]]
    mounts = [_volume(name, container_path=f"/v{number}") for number, name in enumerate(names)]
    assert await pod.output("sh", "-c", "ls -d /v?/bin | wc -l", mounts=mounts) == f"{len(names)}\n"


@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_sub_path(pod: CasePod) -> None:
    assert "passwd" in (await pod.output("ls", "/volume", mounts=[_volume(pod.image, "etc")])).split()


@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_containers_share_an_image_and_go_one_by_one(pod: CasePod) -> None:
    mounts = [_volume(pod.image), _volume(pod.image, "etc", container_path="/etc-of-it")]
    first, second = [await pod.run_ready(mounts=mounts) for _ in range(2)]
    await pod.stop(first, 0)
    await pod.cri.call(pod.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=first))
    assert (await pod.exec(second, "ls", "/volume/bin/busybox", "/etc-of-it/passwd")).exit_code == 0


@pytest.mark.deviates("cri-o", "takes some of it, and leaves some to the OCI runtime")
@pytest.mark.parametrize(
    "fields",
    [
        {"readonly": False},
        {"host_path": "/tmp"},
        {"image": _spec("localhost/not/there:1")},
        {"image_sub_path": "not/there"},
        {"image_sub_path": "etc/passwd"},
        {"image_sub_path": "../etc"},
    ],
    ids=["writable", "host-path", "unknown-image", "no-sub-path", "file-as-sub-path", "sub-path-outside"],
)
async def test_refusals_carry_the_sentinel(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(PodwrightError, match=r"^ImageVolumeMountFailed"):
        await pod.create(mounts=[_volume(pod.image, **fields)])  # type: ignore[arg-type] # keywords of a case
    listed = await pod.cri.call(pod.cri.runtime.ListContainers, api.ListContainersRequest())
    assert not [item for item in listed.containers if item.pod_sandbox_id == pod.id]
