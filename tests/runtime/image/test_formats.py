"""Every format that an image can have in a real registry: manifests, indexes, layers, artifacts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from podwright import errors
from tests.harness.scripted_registry import ScriptedRegistry, fixed
from tests.runtime.image.node import Node
from tools.images import (
    HOST_ARCHITECTURE,
    Compression,
    Entry,
    Format,
    Image,
    Index,
    Layer,
    artifact_of,
    busybox_image,
    image_of,
    index_of,
    layer_as,
    layer_of,
)
from tools.registry import Registry

pytestmark = pytest.mark.root

FOREIGN_TYPES: dict[Format, str] = {
    "docker": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "oci": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
}
CONTENT = [Entry("d", 0o755, "dir"), Entry("d/f", 0o640, "file", b"content" * 1000)]


def tree(node: Node, image_id: str) -> Path:
    """The one layer of an image."""
    [((found,), _)] = node.service.hold("test", image_id)
    return Path(found)


async def pulled(node: Node, registry: Registry, image: Image | Index, name: str = "formats:1") -> str:
    registry.push(name, image)
    return await node.service.pull(f"{registry.host}/{name}")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
async def test_layers(compression: Compression, node: Node, registry: Registry) -> None:
    image_id = await pulled(node, registry, image_of([layer_as(compression, CONTENT)], {}))
    assert (tree(node, image_id) / "d/f").read_bytes() == b"content" * 1000


@pytest.mark.parametrize("told", ["gzip", "none"])
async def test_what_layers_are_called_is_not_believed(told: Compression, node: Node, registry: Registry) -> None:
    called = layer_as(told, CONTENT).media_type
    real = layer_as("zstd", CONTENT)
    layer = Layer(blob=real.blob, diff_id=real.diff_id, media_type=called)
    image_id = await pulled(node, registry, image_of([layer], {}))
    assert (tree(node, image_id) / "d/f").exists()


@pytest.mark.parametrize("style", ["oci", "docker"])
async def test_manifests_and_indexes(style: Format, node: Node, registry: Registry) -> None:
    image = image_of([layer_of(CONTENT)], {}, style=style)
    other = image_of([layer_of(CONTENT)], {"Cmd": ["x"]}, style=style, architecture="s390x")
    for one in (image, index_of([other, image], style=style)):
        assert await pulled(node, registry, one) == image.image_id
        assert node.service.get(image.image_id).repo_digests[-1].partition("@")[2] in (image.digest, one.digest)
        await node.service.remove(image.image_id)
    assert node.leftovers() == []


@pytest.mark.skipif(HOST_ARCHITECTURE != "amd64", reason="the names are those of amd64")
@pytest.mark.parametrize(
    "platform",
    [
        {"architecture": "x86_64"},
        {"architecture": "amd64", "variant": "v1"},
        {"architecture": "AMD64"},
        {"architecture": "x86-64", "variant": "v1"},
    ],
)
async def test_other_words_for_our_platform(platform: dict[str, str], node: Node, registry: Registry) -> None:
    plain = image_of([layer_of(CONTENT)], {})
    ours = Image(
        manifest=plain.manifest,
        media_type=plain.media_type,
        config=plain.config,
        layers=plain.layers,
        platform={"os": "linux", **platform},
    )
    assert await pulled(node, registry, index_of([busybox_image(architecture="arm64"), ours])) == plain.image_id


async def test_an_index_in_an_index(node: Node, registry: Registry) -> None:
    """What has nothing for us is passed over; all documents on the way are kept, and found again."""
    ours = image_of([layer_of(CONTENT)], {"Cmd": ["ours"]})
    foreign = index_of([busybox_image(architecture="s390x")])
    image_id = await pulled(node, registry, index_of([foreign, index_of([index_of([ours])])]), "nested:1")
    assert image_id == ours.image_id
    await node.restart()
    assert node.service.get(f"{registry.host}/nested:1").id == image_id
    await node.service.remove(image_id)
    assert node.leftovers() == []


async def test_indexes_in_indexes_have_an_end(node: Node, registry: Registry) -> None:
    index = index_of([image_of([layer_of(CONTENT)], {})])
    for _ in range(4):
        index = index_of([index])
    with pytest.raises(errors.FailedPrecondition, match=rf"{registry.host}/formats:1@sha256:.* indexes nest deeper"):
        await pulled(node, registry, index)
    assert node.leftovers() == []


async def test_attestations_are_passed_over(node: Node, registry: Registry) -> None:
    """As BuildKit pushes them: no image, for the platform unknown/unknown."""
    proof = image_of([Layer(blob=b"{}", diff_id="sha256:" + "0" * 64, media_type="application/vnd.in-toto+json")], {})
    unknown = Image(
        manifest=proof.manifest,
        media_type=proof.media_type,
        config=proof.config,
        layers=proof.layers,
        platform={"os": "unknown", "architecture": "unknown"},
    )
    ours = image_of([layer_of(CONTENT)], {"Cmd": ["ours"]})
    assert await pulled(node, registry, index_of([unknown, ours])) == ours.image_id
    await node.service.remove(ours.image_id)
    with pytest.raises(errors.NotFound, match="and for no other platform"):
        await pulled(node, registry, index_of([unknown]), "formats:2")
    assert node.leftovers() == []


async def test_annotations_are_kept(node: Node, registry: Registry) -> None:
    kept = {"org.opencontainers.image.source": "https://example.test/x", "k": "v"}
    image_id = await pulled(node, registry, image_of([layer_of(CONTENT)], {}, annotations=kept))
    assert node.service.get(image_id).annotations == kept
    await node.restart()
    assert node.service.get(image_id).annotations == kept


@pytest.mark.parametrize("style", ["docker", "oci"])
async def test_foreign_layers(style: Format, node: Node, liar: ScriptedRegistry) -> None:
    """Pulled from a registry that holds them; their `urls` are not asked."""
    plain, media_type = layer_of(CONTENT), FOREIGN_TYPES[style]
    foreign = image_of([Layer(blob=plain.blob, diff_id=plain.diff_id, media_type=media_type)], {}, style=style)
    liar.serve("formats:1", foreign)
    liar.answers[f"/v2/formats/blobs/{plain.digest}"] = fixed(404)
    refused = rf"{liar.host}/formats:1: layer {plain.digest} is of the type {re.escape(media_type)}, which registries"
    with pytest.raises(errors.FailedPrecondition, match=refused):
        await node.service.pull(f"{liar.host}/formats:1")
    assert node.leftovers() == []
    liar.answers.clear()
    image_id = await node.service.pull(f"{liar.host}/formats:1")
    assert (tree(node, image_id) / "d/f").exists()
    index = json.loads((node.root / "images/index.json").read_bytes())
    listed = json.loads(node.service.catalog.blobs.read(index["manifests"][0]["digest"]) or b"")
    assert [layer["mediaType"] for layer in listed["layers"]] == [FOREIGN_TYPES["oci"]]


# Artifacts

FILES = {"model.bin": os.urandom(300_000), "deep/er/config.json": b"{}", "empty": b""}


async def test_an_artifact_is_files(node: Node, registry: Registry) -> None:
    artifact = artifact_of(FILES)
    image_id = await pulled(node, registry, artifact, "model:1")
    assert image_id == artifact.digest
    image = node.service.get(f"{registry.host}/model:1")
    assert image.artifact_type == "application/vnd.example.model"
    assert image.annotations == {"org.example.kind": "artifact"}
    assert image.size_bytes > 300_000
    files = tree(node, image_id)
    assert {name: (files / name).read_bytes() for name in FILES} == FILES
    with pytest.raises(errors.FailedPrecondition, match=r"model:1 is an artifact .*model.*image volume"):
        node.service.runnable(f"{registry.host}/model:1")

    await node.restart()
    assert (files / "model.bin").exists()
    assert node.service.get(image_id) == image
    assert await node.service.pull(f"{registry.host}/model:1") == image_id
    node.service.release("test")
    await node.service.remove(image_id)
    await node.service.close()  # which waits for what `release` has started
    assert node.leftovers() == []


async def test_the_files_of_an_artifact_take_no_room_of_their_own(node: Node, registry: Registry) -> None:
    image_id = await pulled(node, registry, artifact_of(FILES))
    assert (tree(node, image_id) / "model.bin").stat().st_nlink == 2


async def test_an_artifact_s_tree_is_made_again(node: Node, registry: Registry) -> None:
    image_id = await pulled(node, registry, artifact_of(FILES))
    (node.layers_dir / image_id.removeprefix("sha256:")).rename(node.root / "stolen")
    await node.restart()
    assert (tree(node, image_id) / "model.bin").read_bytes() == FILES["model.bin"]


@pytest.mark.parametrize(
    "names", [["../x"], ["/etc/x"], ["a/../../x"], ["a//b"], ["."], ["a" * 256], ["f", "f/g"], ["a\0b"]]
)
async def test_titles_that_want_out(names: list[str], node: Node, registry: Registry) -> None:
    artifact = artifact_of({name: name.encode() for name in names})
    with pytest.raises(errors.FailedPrecondition, match=rf"{registry.host}/formats:1@{artifact.digest}: "):
        await pulled(node, registry, artifact)
    assert node.leftovers() == []
