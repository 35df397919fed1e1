"""What containers see of an image's layers, whatever is in them."""

from __future__ import annotations

import tarfile

import pytest

from podwright.conformance.images import CaseLayer, ImageRegistry, device, file, folder, layer
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api

pytestmark = pytest.mark.deviates("cri-o", "pulls over plain HTTP only from registries that its configuration names")


async def pull(pod: CasePod, name: str) -> str:
    """PullImage. Returns the image's id."""
    request = api.PullImageRequest(image=api.ImageSpec(image=name))
    return (await pod.cri.call(pod.cri.images.PullImage, request)).image_ref


async def output(pod: CasePod, name: str, *command: str, **fields: object) -> str:
    """What a command prints in a container of that image."""
    await pull(pod, name)
    return await pod.output(*command, image=api.ImageSpec(image=name, user_specified_image=name), **fields)


EMPTY = layer()
LOWER = layer(folder("t"), folder("t/d"), file("t/d/old", "lower"), file("t/x", "lower"), file("t/gone", "lower"))
SAME = layer(folder("t"), folder("t/d"), file("t/d/f", "same"), file("t/d/g", "same"), file("t/x", "same"))
HIDES_PARTS = layer(folder("t"), folder("t/d"), file("t/d/.wh.f"), file("t/.wh.x"), file("t/d/h", "between"))
HIDES_ALL = layer(folder("t"), file("t/.wh.d"), file("t/n", "between"))
# Whiteouts of its own: they hide what lies between as well, when the layer comes again.
CLEARING = layer(folder("t"), folder("t/d"), file("t/d/.wh..wh..opq"), file("t/d/c", "clearing"), file("t/.wh.gone"))
BETWEEN = layer(folder("t"), folder("t/d"), file("t/d/m", "between"), file("t/gone", "between"))
BARE = layer(file("t/d/f", "bare"))  # without the directories, which keep what the layers below made of them
CLOSED = layer(folder("t"), folder("t/d", 0o700, (7, 8)))

REPEATED: dict[str, tuple[tuple[CaseLayer, ...], str]] = {
    "empty": ((LOWER, EMPTY, EMPTY), "d d/old=lower gone=lower x=lower"),
    "at once": ((SAME, SAME), "d d/f=same d/g=same x=same"),
    "hidden in parts": ((SAME, HIDES_PARTS, SAME), "d d/f=same d/g=same d/h=between x=same"),
    "hidden whole": ((SAME, HIDES_ALL, SAME), "d d/f=same d/g=same n=between x=same"),
    "hidden at last": ((SAME, HIDES_PARTS, SAME, HIDES_PARTS), "d d/g=same d/h=between"),
    "clears": ((LOWER, CLEARING, BETWEEN, CLEARING), "d d/c=clearing x=lower"),
    "clears once": ((LOWER, CLEARING, BETWEEN), "d d/c=clearing d/m=between gone=between x=lower"),
    "three times": (
        (SAME, HIDES_ALL, SAME, BETWEEN, SAME),
        "d d/f=same d/g=same d/m=between gone=between n=between x=same",
    ),
    "undescribed": ((CLOSED, BARE, HIDES_ALL, CLOSED, BARE), "d d/f=bare n=between"),
}
LISTING = (
    'cd /t; for p in $(find . -mindepth 1 | sort); do [ -f $p ] && echo "${p#./}=$(cat $p)" || echo ${p#./}; done'
)


@pytest.mark.parametrize(("layers", "seen"), REPEATED.values(), ids=REPEATED)
async def test_the_same_layer_again(
    layers: tuple[CaseLayer, ...], seen: str, pod: CasePod, images: ImageRegistry
) -> None:
    name = images.push(*layers)
    assert (await output(pod, name, "sh", "-c", LISTING)).split() == seen.split()


@pytest.mark.deviates("containerd", "1.6 came before image volumes")
@pytest.mark.parametrize(("layers", "seen"), REPEATED.values(), ids=REPEATED)
@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_the_same_layer_again_in_a_volume(
    layers: tuple[CaseLayer, ...], seen: str, pod: CasePod, images: ImageRegistry
) -> None:
    name = images.push(*layers)
    await pull(pod, name)
    volume = api.Mount(container_path="/v", readonly=True, image=api.ImageSpec(image=name, user_specified_image=name))
    listing = LISTING.replace("/t", "/v/t", 1)
    assert (await pod.output("sh", "-c", listing, mounts=[volume])).split() == seen.split()


@pytest.mark.deviates("podwright-docker", "the Engine's storage driver has its own idea of it")
async def test_directories_of_a_repeated_layer(pod: CasePod, images: ImageRegistry) -> None:
    name = images.push(CLOSED, BARE, HIDES_PARTS, BARE)
    assert await output(pod, name, "stat", "-c", "%a %u:%g", "/t/d") == "755 0:0\n"
    name = images.push(HIDES_PARTS, CLOSED, BARE, EMPTY, BARE)
    assert await output(pod, name, "stat", "-c", "%a %u:%g", "/t/d") == "700 7:8\n"


PLAIN = layer(file("plain"))
ROOT = layer(folder("./", 0o711, (7, 8)), file("first"))
HIGHER_ROOT = layer(folder("./", 0o700, (1000, 1000)), file("second"))
UNSAID = "nobody says"
UNHEARD = (
    pytest.mark.deviates("containerd", "passes over entries for the root"),
    pytest.mark.deviates("podwright-docker", "the Engine's roots are always root's, with mode 755"),
)
ROOTS = {
    UNSAID: ((PLAIN,), "755 0:0"),
    "one says": ((ROOT,), "711 7:8"),
    "a layer without it above": ((ROOT, PLAIN), "711 7:8"),
    "said twice": ((ROOT, HIGHER_ROOT, PLAIN), "711 7:8"),
    "above a layer without it": ((PLAIN, HIGHER_ROOT), "700 1000:1000"),
}


@pytest.mark.parametrize(
    ("layers", "root"),
    [pytest.param(*case, id=name, marks=() if name == UNSAID else UNHEARD) for name, case in ROOTS.items()],
)
async def test_mode_and_owner_of_the_root(
    layers: tuple[CaseLayer, ...], root: str, pod: CasePod, images: ImageRegistry
) -> None:
    assert await output(pod, images.push(*layers), "stat", "-c", "%a %u:%g", "/") == f"{root}\n"


@pytest.mark.deviates("containerd", "1.6 came before image volumes")
@pytest.mark.parametrize(("layers", "root"), ROOTS.values(), ids=ROOTS)
@pytest.mark.deviates("podwright-docker", "the Engine mounts no images")
async def test_mode_and_owner_of_a_volume_s_root(
    layers: tuple[CaseLayer, ...], root: str, pod: CasePod, images: ImageRegistry
) -> None:
    name = images.push(*layers)
    await pull(pod, name)
    volume = api.Mount(container_path="/v", readonly=True, image=api.ImageSpec(image=name, user_specified_image=name))
    assert await pod.output("stat", "-c", "%a %u:%g", "/v", mounts=[volume]) == f"{root}\n"


async def test_device_nodes_are_there_and_of_no_use(pod: CasePod, images: ImageRegistry) -> None:
    """Old base images have them in /dev, which a container does not see. Elsewhere its device cgroup denies access."""
    nodes = layer(device("mem", tarfile.CHRTYPE, (1, 1)), device("disk", tarfile.BLKTYPE, (8, 0)))
    script = "stat -c '%F %t:%T' /mem /disk; cat /mem || echo refused; cat /disk || echo refused"
    assert (await output(pod, images.push(nodes), "sh", "-c", f"({script}) 2>/dev/null")).splitlines() == [
        "character special file 1:1",
        "block special file 8:0",
        "refused",
        "refused",
    ]


async def test_empty_pax_values(pod: CasePod, images: ImageRegistry) -> None:
    written = file("written", "content")
    written.info.uid = 5
    written.info.pax_headers = {"path": "", "uid": "", "mtime": "", "size": ""}
    name = images.push(layer(written))
    assert await output(pod, name, "stat", "-c", "%n %u %s", "/written") == "/written 5 7\n"
