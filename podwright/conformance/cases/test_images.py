"""Images: pulled, found by every kind of reference, told to containers, removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, InvalidArgument, PodwrightError


async def _pull(cri: CriClient, image: str) -> str:
    request = api.PullImageRequest(image=api.ImageSpec(image=image))
    return (await cri.call(cri.images.PullImage, request)).image_ref


async def _status(cri: CriClient, image: str) -> api.Image | None:
    request = api.ImageStatusRequest(image=api.ImageSpec(image=image))
    answer = await cri.call(cri.images.ImageStatus, request)
    return answer.image if answer.HasField("image") else None


async def _list(cri: CriClient, image: str = "") -> list[api.Image]:
    request = api.ListImagesRequest(filter=api.ImageFilter(image=api.ImageSpec(image=image)))
    return list((await cri.call(cri.images.ListImages, request)).images)


async def _remove(cri: CriClient, image: str) -> None:
    await cri.call(cri.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=image)))


@pytest_asyncio.fixture
async def pulled(cri_server: CriPeer, image: str) -> AsyncIterator[api.Image]:
    """The image, as its status tells it."""
    await _pull(cri_server.client, image)
    found = await _status(cri_server.client, image)
    assert found is not None
    yield found


@pytest.mark.deviates("cri-o", "the list tells less than the status")
async def test_what_was_pulled_is_told(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    assert pulled.id
    assert pulled.size > 0
    assert image in pulled.repo_tags
    assert all("@sha256:" in digest for digest in pulled.repo_digests)
    assert pulled.repo_digests
    assert [listed for listed in await _list(cri_server.client) if listed.id == pulled.id] == [pulled]


async def test_a_second_pull_gives_the_same_id(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    assert await _pull(cri_server.client, image) == await _pull(cri_server.client, image) == pulled.id


async def test_pulls_at_once(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    cri = cri_server.client
    await _remove(cri, image)
    assert set(await asyncio.gather(*(_pull(cri, image) for _ in range(5)))) == {pulled.id}


async def test_every_kind_of_reference_finds_it(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    hexadecimal = pulled.id.removeprefix("sha256:")
    for reference in (image, pulled.id, hexadecimal, hexadecimal[:12], pulled.repo_digests[0]):
        assert await _status(cri_server.client, reference) == pulled, reference


async def test_every_kind_of_reference_makes_a_container(pod: CasePod, pulled: api.Image) -> None:
    hexadecimal = pulled.id.removeprefix("sha256:")
    references = (pulled.repo_tags[0], pulled.id, hexadecimal, hexadecimal[:12], pulled.repo_digests[0])
    specs = [api.ImageSpec(image=reference, user_specified_image=pod.image) for reference in references]
    made = [await pod.create(image=spec) for spec in specs]
    told = [await pod.status(container_id) for container_id in made]
    assert {(status.image.image, status.image_ref) for status in told} == {
        (pulled.repo_tags[0], pulled.repo_digests[0])
    }


async def test_pulled_by_digest(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    cri = cri_server.client
    await _remove(cri, image)
    assert await _pull(cri, pulled.repo_digests[0]) == pulled.id
    found = await _status(cri, pulled.repo_digests[0])
    assert found is not None
    assert list(found.repo_tags) == []
    assert pulled.repo_digests[0] in found.repo_digests


@pytest.mark.deviates("containerd", "does not look at the filter")
async def test_the_list_s_filter_is_a_look_up(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    assert [found.id for found in await _list(cri_server.client, image)] == [pulled.id]
    assert await _list(cri_server.client, "example.test/absent:1") == []


async def test_an_image_that_is_not_there(cri_server: CriPeer) -> None:
    cri = cri_server.client
    assert await _status(cri, "example.test/absent:1") is None
    assert await _status(cri, "sha256:" + "0" * 64) is None
    await _remove(cri, "example.test/absent:1")


@pytest.mark.deviates("cri-o", "takes that name alone")
async def test_removing_by_one_name_removes_all(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    cri = cri_server.client
    await _pull(cri, pulled.repo_digests[0])
    await _remove(cri, image)
    for reference in (image, pulled.id, pulled.repo_digests[0]):
        assert await _status(cri, reference) is None
    await _remove(cri, image)


@pytest.mark.deviates("cri-o", "as above")
async def test_removals_at_once(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    cri = cri_server.client
    await asyncio.gather(*(_remove(cri, image) for _ in range(5)))
    assert await _status(cri, image) is None
    assert pulled.id not in [listed.id for listed in await _list(cri)]


async def test_a_pull_ends_with_its_deadline(cri_server: CriPeer, image: str) -> None:
    cri = cri_server.client
    await _remove(cri, image)
    request = api.PullImageRequest(image=api.ImageSpec(image=image))
    with pytest.raises(DeadlineExceeded):
        await cri.call(cri.images.PullImage, request, timeout_s=0.001)


@pytest.mark.deviates("cri-o", "without the layers' chain")
async def test_verbose_tells_the_image_s_own_words(cri_server: CriPeer, image: str, pulled: api.Image) -> None:
    cri = cri_server.client
    request = api.ImageStatusRequest(image=api.ImageSpec(image=image), verbose=True)
    told = json.loads((await cri.call(cri.images.ImageStatus, request)).info["info"])
    assert told["chainID"].startswith("sha256:")
    assert {"Cmd", "Entrypoint", "Env"} & set(told["imageSpec"]["config"])


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
@pytest.mark.parametrize("reference", ["", "x/UPPER", "a b", "x@sha256:12", ":tag"])
async def test_what_is_no_reference_is_refused(cri_server: CriPeer, reference: str) -> None:
    with pytest.raises(InvalidArgument):
        await _pull(cri_server.client, reference)


@pytest.mark.deviates("containerd", "takes an empty name for one that is not there")
async def test_removing_nothing_in_particular_is_refused(cri_server: CriPeer) -> None:
    with pytest.raises(PodwrightError):
        await _remove(cri_server.client, "")


@pytest.mark.deviates("containerd", "1.6 came before the field")
async def test_the_image_s_id_is_the_same_everywhere(image: str, pod: CasePod) -> None:
    cri = pod.cri
    image_id = await _pull(cri, image)
    container_id = await pod.create(image=api.ImageSpec(image=image_id, user_specified_image=image))
    status = await pod.status(container_id)
    request = api.ListContainersRequest(filter=api.ContainerFilter(id=container_id))
    [item] = (await cri.call(cri.runtime.ListContainers, request)).containers
    assert status.image_id == item.image_id == image_id
    assert status.image.image
    assert status.image_ref


async def test_a_container_outlives_its_image(image: str, pod: CasePod) -> None:
    container_id = await pod.run()
    await _remove(pod.cri, image)
    status = await pod.status(container_id)
    assert status.state == api.CONTAINER_RUNNING
    assert status.image.image
    assert status.image_ref
    assert (await pod.exec(container_id, "echo", "alive")).stdout == b"alive\n"


async def test_what_images_cost_is_told(cri_server: CriPeer, pulled: api.Image) -> None:
    cri = cri_server.client
    usage = (await cri.call(cri.images.ImageFsInfo, api.ImageFsInfoRequest())).image_filesystems[0]
    assert usage.used_bytes.value >= 0
    assert usage.inodes_used.value >= 0
    assert usage.fs_id.mountpoint.startswith("/")
