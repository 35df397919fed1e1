"""Loading and saving on a real store, with archives of skopeo and archives of enemies."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import lzma
import re
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, NotFound, PodwrightError, Unknown
from podwright.process import PosixProcessRunner
from podwright.runtime.config import ImageSettings, RegistrySettings
from podwright.runtime.image.tools.loading import Loader
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.image.tools.saving import Saver
from podwright.runtime.model.image_store import ArchiveFormat
from tests.runtime.archive.archives import blob, docker_members, oci_members, tar
from tests.runtime.image.node import MakeNode, Node
from tools.images import Entry, Image, Layer, busybox_image, digest_of, image_of, layer_of_tar, tar_of
from tools.registry import Registry

pytestmark = pytest.mark.root

PLAIN = tar_of([Entry("a", 0o644, "file", b"a")])
LAYER = layer_of_tar(PLAIN)
IMAGE = image_of([LAYER], {"Cmd": ["a"]})
OTHER = image_of([LAYER], {"Cmd": ["b"]})
COMPRESSIONS = ["plain", "gzip", "xz", "bzip2"]
FORMS: tuple[ArchiveFormat, ...] = ("oci-archive", "docker-archive")


async def load(
    node: Node, archive: bytes, name: str = "", *, piece_bytes: int = 100_000
) -> list[tuple[str, list[str]]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(archive), piece_bytes):
            yield archive[start : start + piece_bytes]

    return await Loader(node.service, ImageSettings(), PosixProcessRunner()).load(chunks(), name)


async def save(node: Node, file: Path, form: ArchiveFormat, *names: str) -> None:
    runner, settings = PosixProcessRunner(), RegistrySettings(config_path="")
    saver = Saver(node.service.catalog, Refetcher(node.service.catalog.blobs, settings, runner))
    with file.open("wb") as archive:
        async for piece in saver.save(names, form):
            archive.write(piece)


def skopeo(*arguments: str) -> str:
    return subprocess.run(["skopeo", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, bz2.compress], ids=COMPRESSIONS)
async def test_skopeo_writes_and_we_read(
    form: str, compress: Callable[[bytes], bytes], node: Node, registry: Registry, tmp_path: Path
) -> None:
    file = tmp_path / "a.tar"
    source = f"docker://{registry.host}/busybox:1"
    skopeo("copy", "-q", "--src-tls-verify=false", source, f"{form}:{file}:example.io/x/box:7")
    data = file.read_bytes()
    ((image_id, names),) = await load(node, compress(data))
    assert (image_id, names) == (busybox_image().image_id, ["example.io/x/box:7"])
    image = node.service.get("example.io/x/box:7")
    assert (image.id, image.repo_digests, image.config.cmd) == (image_id, (), ("sh",))
    (tree,) = node.service.hold("h", image_id)[0].layers
    assert Path(tree, "bin/busybox").stat().st_nlink > 100
    await node.restart()
    assert node.service.get(image_id) == image
    node.service.release("h")
    await node.service.remove(image_id)
    await node.service.close()
    assert node.leftovers() == []


@pytest.mark.parametrize("form", FORMS)
async def test_we_write_and_skopeo_reads(form: ArchiveFormat, node: Node, registry: Registry, tmp_path: Path) -> None:
    name = f"{registry.host}/busybox:docker"
    image_id = await node.service.pull(name)
    await save(node, tmp_path / "a.tar", form, name)
    target = f"{registry.host}/saved-by-us:{form}"
    skopeo("copy", "-q", "--dest-tls-verify=false", f"{form}:{tmp_path}/a.tar:{name}", f"docker://{target}")
    config_blob = skopeo("inspect", "--tls-verify=false", "--config", "--raw", f"docker://{target}")
    assert digest_of(config_blob.encode()) == image_id
    await node.service.remove(image_id)
    assert [image for image, _ in await load(node, (tmp_path / "a.tar").read_bytes())] == [image_id]


@pytest.mark.parametrize("form", FORMS)
async def test_several_images_there_and_back(form: ArchiveFormat, node: Node, tmp_path: Path) -> None:
    await load(node, tar(oci_members({"a:1": IMAGE, "a:2": IMAGE, "b:1": OTHER})))
    await save(node, tmp_path / "a.tar", form, "a:1", IMAGE.image_id, "b:1")
    for image in node.service.list():
        await node.service.remove(image.id)
    assert node.leftovers() == []
    assert await load(node, (tmp_path / "a.tar").read_bytes()) == [
        (IMAGE.image_id, ["docker.io/library/a:1", "docker.io/library/a:2"]),
        (OTHER.image_id, ["docker.io/library/b:1"]),
    ]


async def test_docker_archives_have_plain_layers(node: Node, tmp_path: Path) -> None:
    await load(node, tar(oci_members({"a:1": IMAGE})))
    await save(node, tmp_path / "a.tar", "docker-archive", "a:1")
    with tarfile.open(tmp_path / "a.tar") as archive:
        (listed,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type] # it is a file
        layer = archive.extractfile(listed["Layers"][0])
        assert layer is not None
        assert layer.read() == PLAIN


async def test_loading_takes_a_name_over(node: Node) -> None:
    await load(node, tar(oci_members({"a:1": IMAGE})))
    await load(node, tar(oci_members({"a:1": OTHER})))
    assert node.service.get("a:1").id == OTHER.image_id
    assert node.service.get(IMAGE.image_id).repo_tags == ()


def without(image: Image, data: bytes) -> bytes:
    return tar({name: content for name, content in oci_members({"a:1": image}).items() if name != blob(data)})


def lying(diff: str) -> Image:
    return image_of([Layer(blob=LAYER.blob, diff_id=diff)], {"Cmd": ["x"]})


ESCAPING = layer_of_tar(tar_of([Entry("../../x", 0o644, "file", b"x")]))
GOOD = tar(oci_members({"a:1": IMAGE}))
HOSTILE = {
    "cut-in-a-header": GOOD[:700],
    "cut-in-a-blob": GOOD[:2000],
    "cut-gzip": gzip.compress(GOOD)[:-300],
    "damaged-gzip": gzip.compress(GOOD)[:100] + b"\xff" * 300,
    "no-tar": b"x" * 5000,
    "nothing": b"",
    "a-missing-layer": without(IMAGE, LAYER.blob),
    "a-missing-config": without(IMAGE, IMAGE.config),
    "a-missing-manifest": without(IMAGE, IMAGE.manifest),
    "a-wrong-blob": tar(oci_members({"a:1": IMAGE}) | {blob(LAYER.blob): b"something else"}),
    "a-wrong-diff-id": tar(oci_members({"a:1": lying(digest_of(b"other"))})),
    "a-layer-that-escapes": tar(oci_members({"a:1": image_of([ESCAPING], {})})),
    "a-path-that-escapes": tar({"../../x": b"x"} | oci_members({"a:1": IMAGE})),
    "the-second-image-is-bad": tar(oci_members({"a:1": IMAGE, "b:1": lying(digest_of(b"other"))})),
    "a-bad-name": tar(oci_members({"a:1": IMAGE, "x/UPPER:1": OTHER})),
    "docker-without-its-layer": tar(docker_members({"a:1": IMAGE}, {LAYER.diff_id: b""})),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_bad_archive_leaves_nothing(case: str, node: Node) -> None:
    with pytest.raises(PodwrightError) as failure:
        await load(node, HOSTILE[case])
    assert type(failure.value).__name__ in ("FailedPrecondition", "InvalidArgument", "DigestMismatch", "BadLayer")
    assert node.leftovers() == []
    assert await load(node, GOOD)


async def test_a_bomb(node: Node) -> None:
    loader = Loader(node.service, ImageSettings(max_archive_bytes=1 << 20), PosixProcessRunner())

    async def chunks() -> AsyncIterator[bytes]:
        yield gzip.compress(tar({"zeros": bytes(2 << 20)}))

    with pytest.raises(FailedPrecondition, match="more than 1048576 bytes"):
        await loader.load(chunks())
    assert node.leftovers() == []


async def test_a_client_that_goes_away(node: Node) -> None:
    never = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield GOOD[:1500]
        await never.wait()

    loading = asyncio.create_task(Loader(node.service, ImageSettings(), PosixProcessRunner()).load(chunks()))
    await asyncio.sleep(0.2)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert node.leftovers() == []


async def test_saving_what_is_not_there(node: Node, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nobody/knows"):
        await save(node, tmp_path / "a.tar", "oci-archive", "nobody/knows:1")


async def test_a_damaged_blob_is_not_saved(node: Node, tmp_path: Path) -> None:
    await load(node, GOOD)
    Path(node.service.catalog.blobs.path(LAYER.digest)).write_bytes(bytes(len(LAYER.blob)))
    for form in FORMS:
        with pytest.raises(FailedPrecondition, match=f"{LAYER.digest} is damaged"):
            await save(node, tmp_path / "a.tar", form, "a:1")


@pytest.mark.parametrize("form", FORMS)
async def test_dropped_blobs_are_fetched_for_saving(
    form: ArchiveFormat, make_node: MakeNode, registry: Registry, tmp_path: Path
) -> None:
    node = await make_node(images={"keep_blobs": False})
    registry.push("dropped/a:1", IMAGE)
    name = f"{registry.host}/dropped/a:1"
    await node.service.pull(name)
    dropped = LAYER.digest.removeprefix("sha256:")
    assert dropped not in node.blobs()
    await save(node, tmp_path / "a.tar", form, name)
    assert dropped not in node.blobs()
    assert await load(node, (tmp_path / "a.tar").read_bytes())
    registry.blob_path(LAYER.digest).unlink()
    with pytest.raises(
        FailedPrecondition, match=r"1 of its blobs are not kept on this node: .* cannot be fetched again"
    ):
        await save(node, tmp_path / "b.tar", form, name)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"default": {"action": "reject"}}, "signatures.default rejects it"),
        ({"rules": {"docker.io/library": {"action": "reject"}}}, 'rules."docker.io/library" rejects it'),
        (
            {"rules": {"docker.io": {"action": "signed", "keys": ["/k"]}}},
            "requires a signature, and archives have none",
        ),
    ],
)
async def test_the_policy_is_asked_about_every_name(
    make_node: MakeNode, policy: dict[str, object], words: str
) -> None:
    """What may be pulled only if somebody signed it does not come in by another door."""
    archive = tar(docker_members({"elsewhere.test/x:1": IMAGE, "busybox:1": OTHER}, {LAYER.diff_id: PLAIN}))
    node = await make_node(signatures=policy)
    before = node.leftovers()
    with pytest.raises(Unknown, match=f"^SignatureValidationFailed: .*{re.escape(words)}.*signatures.archives"):
        await load(node, archive)
    assert node.leftovers() == before
    await node.close()
    node = await make_node(signatures={**policy, "archives": "accept"})
    assert len(await load(node, archive)) == 2
