"""Images that lie, from a scripted registry and from a real one: neither knows what it gives out."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright import errors
from podwright.linux import mount
from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.image.node import MakeNode, Node
from tests.runtime.image.refusing import SHARED, Origin, keep_one
from tests.runtime.image.refusing import refused as refused_by
from tests.runtime.storage.unpack.test_tree import ESCAPES, sparse
from tools.images import Entry, Image, Layer, digest_of, image_of, index_of, layer_as, layer_of, layer_of_tar, tar_of
from tools.registry import Registry

pytestmark = pytest.mark.root

BIG = layer_of([Entry("big", 0o644, "file", os.urandom(5_000_000))])


@pytest_asyncio.fixture(params=["scripted", "real"])
async def origin(request: pytest.FixtureRequest, liar: ScriptedRegistry) -> Origin:
    """Each registry in turn."""
    if request.param == "scripted":
        return Origin(liar.host, liar.serve)
    registry: Registry = request.getfixturevalue("registry")
    return Origin(registry.host, registry.push)


@pytest_asyncio.fixture
async def node(make_node: MakeNode, origin: Origin) -> Node:
    """A node that has an image already."""
    node = await make_node()
    await keep_one(node, origin)
    return node


async def refused(node: Node, origin: Origin, image: Image, error: type[errors.PodwrightError], words: str) -> None:
    origin.serve("hostile/app:1", image)
    await refused_by(node, origin.host, error, words, name="hostile/app:1")


def image(*layers: Layer) -> Image:
    return image_of([SHARED, *layers], {})


@pytest.mark.parametrize("entries", ESCAPES.values(), ids=ESCAPES)
async def test_layers_that_want_out(entries: list[Entry], node: Node, origin: Origin, tmp_path: Path) -> None:
    """Paths and links to outside, hard links to outside, device nodes, names that are too long."""
    (tmp_path / "secret").write_text("kept")
    placed = [
        entry._replace(payload=entry.payload.format(outside=tmp_path)) if isinstance(entry.payload, str) else entry
        for entry in entries
    ]
    bad = layer_of(placed)
    await refused(node, origin, image(bad), errors.FailedPrecondition, bad.digest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "secret"]


@pytest.mark.parametrize("name", ["a\0" + "b" * 200, "n/" * 2048 + "f", "n" * 4096], ids=["nul", "deep", "long"])
async def test_names_that_no_filesystem_has(name: str, node: Node, origin: Origin) -> None:
    bad = layer_of([Entry("fine", 0o644), Entry(name, 0o644)])
    await refused(node, origin, image(bad), errors.FailedPrecondition, bad.digest)


async def test_a_hole_of_100_gib(node: Node, origin: Origin) -> None:
    await refused(
        node, origin, image(layer_of_tar(sparse(100 * 1024**3))), errors.FailedPrecondition, "holes included"
    )


@pytest.mark.parametrize(
    ("limits", "layer", "words"),
    [
        ({"max_unpacked_bytes": 10 << 20}, layer_of([Entry("zeros", 0o644, "file", bytes(50 << 20))]), str(10 << 20)),
        ({"max_entries": 5}, layer_of([Entry(str(number), 0o644) for number in range(6)]), "more than 5 entries"),
    ],
    ids=["bomb", "entries"],
)
async def test_limits(
    limits: dict[str, object], layer: Layer, words: str, make_node: MakeNode, origin: Origin
) -> None:
    node = await make_node(images=limits)
    await keep_one(node, origin)
    await refused(node, origin, image(layer), errors.FailedPrecondition, words)


@pytest.mark.parametrize("told", ["truth", "another-number"])
async def test_a_manifest_of_10_000_layers(told: str, node: Node, origin: Origin) -> None:
    """Refused by the manifest alone: not even its config is fetched."""
    honest = image()
    manifest = json.loads(honest.manifest)
    manifest["layers"] *= 10_000
    config = json.loads(honest.config)
    config["rootfs"]["diff_ids"] *= 10_000 if told == "truth" else 3
    blob = json.dumps(config).encode()
    manifest["config"] |= {"digest": digest_of(blob), "size": len(blob)}
    many = Image(
        manifest=json.dumps(manifest).encode(),
        media_type=honest.media_type,
        config=blob,
        layers=honest.layers,
        platform={},
    )
    await refused(node, origin, many, errors.FailedPrecondition, f"{many.digest} has 10000 layers; .*max_layers = 256")


@pytest.mark.parametrize("cut", [1, 3000], ids=str)
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_a_truncated_layer(compression: str, cut: int, node: Node, origin: Origin) -> None:
    """Its digest is right: it was truncated before it was pushed."""
    whole = layer_as("zstd" if compression == "zstd" else "gzip", [Entry("f", 0o644, "file", os.urandom(200_000))])
    bad = Layer(blob=whole.blob[:-cut], diff_id=whole.diff_id, media_type=whole.media_type)
    await refused(node, origin, image(bad), errors.FailedPrecondition, f"layer {bad.digest}: .*(truncated|damaged)")


@pytest.mark.parametrize(
    "blob", [b"<html>sign in</html>" * 100, gzip.compress(b"no tar" * 1000)], ids=["html", "gzip"]
)
async def test_a_layer_that_is_none(blob: bytes, node: Node, origin: Origin) -> None:
    bad = Layer(blob=blob, diff_id="sha256:" + "0" * 64)
    await refused(node, origin, image(bad), errors.FailedPrecondition, f"layer {bad.digest}: ")


async def test_a_diff_id_that_is_not_true(node: Node, origin: Origin) -> None:
    false = Layer(blob=BIG.blob, diff_id="sha256:" + "0" * 64)
    await refused(node, origin, image(false), errors.FailedPrecondition, "the image's config says sha256:000")


def changed(honest: Image, part: str, **fields: object) -> Image:
    """The image with other words in its manifest's `config`, or about its last layer."""
    manifest = json.loads(honest.manifest)
    target = manifest["config"] if part == "config" else manifest["layers"][-1]
    target |= fields
    return Image(
        manifest=json.dumps(manifest).encode(),
        media_type=honest.media_type,
        config=honest.config,
        layers=honest.layers,
        platform=honest.platform,
    )


@pytest.mark.parametrize("by", [-1000, 1])
async def test_a_wrong_size_of_a_layer(by: int, node: Node, origin: Origin) -> None:
    lying = changed(image(BIG), "layer", size=len(BIG.blob) + by)
    await refused(node, origin, lying, errors.FailedPrecondition, BIG.digest)


@pytest.mark.parametrize("by", [-1, 1])
async def test_a_wrong_size_of_a_config(by: int, node: Node, origin: Origin) -> None:
    honest = image(BIG)
    lying = changed(honest, "config", size=len(honest.config) + by)
    await refused(node, origin, lying, errors.FailedPrecondition, f"{honest.image_id} has .* instead of the declared")


async def test_a_wrong_size_of_a_manifest(node: Node, origin: Origin) -> None:
    index = index_of([image(BIG)])
    document = json.loads(index.manifest)
    document["manifests"][0]["size"] += 1
    lying = Image(
        manifest=json.dumps(document).encode(), media_type=index.media_type, config=b"{}", layers=(), platform={}
    )
    origin.serve("hostile/app:honest", index)
    await refused(
        node, origin, lying, errors.FailedPrecondition, f"{image(BIG).digest} has .* instead of the declared"
    )


async def test_a_layer_as_a_manifest(node: Node, origin: Origin) -> None:
    """An index that points at a blob which is in the store, and which is no manifest."""
    index = index_of([image(BIG)])
    document = json.loads(index.manifest)
    document["manifests"][0] |= {"digest": SHARED.digest, "size": len(SHARED.blob)}
    lying = Image(
        manifest=json.dumps(document).encode(), media_type=index.media_type, config=b"{}", layers=(), platform={}
    )
    await refused(node, origin, lying, errors.FailedPrecondition, f"{SHARED.digest}: not the JSON of an image")


async def test_configs_that_do_not_fit(node: Node, origin: Origin) -> None:
    honest = image()
    manifest = json.loads(honest.manifest)
    manifest["layers"] *= 2
    twice = Image(
        manifest=json.dumps(manifest).encode(),
        media_type=honest.media_type,
        config=honest.config,
        layers=honest.layers,
        platform={},
    )
    await refused(node, origin, twice, errors.FailedPrecondition, "manifest has 2 layers, the config 1")


@pytest.mark.parametrize("config", [b"<html>", b"[]", b'{"rootfs": {"diff_ids": ["../../x"]}}', b"{" * 100_000])
async def test_configs_that_are_none(config: bytes, node: Node, origin: Origin) -> None:
    honest = image()
    lying = changed(honest, "config", digest=digest_of(config), size=len(config))
    lying = Image(
        manifest=lying.manifest, media_type=lying.media_type, config=config, layers=lying.layers, platform={}
    )
    await refused(node, origin, lying, errors.FailedPrecondition, lying.digest)


@pytest_asyncio.fixture
async def small_disk(tmp_path: Path) -> AsyncIterator[Path]:
    """8 MiB."""
    (tmp_path / "small").mkdir()
    mount.mount_tmpfs(str(tmp_path / "small"), size_bytes=8 << 20, mode=0o755)
    try:
        yield tmp_path / "small"
    finally:
        mount.unmount(str(tmp_path / "small"))


@pytest.mark.parametrize("content_mib", [9, 5], ids=["no-room-for-the-blob", "no-room-for-its-files"])
async def test_a_full_disk(content_mib: int, make_node: MakeNode, origin: Origin, small_disk: Path) -> None:
    """What is there goes on working, and removing it makes room."""
    big = layer_of([Entry("big", 0o644, "file", os.urandom(content_mib << 20))])
    node = await make_node(root=small_disk)
    try:
        await keep_one(node, origin)
        await refused(node, origin, image(big), errors.ResourceExhausted, f"layer {big.digest}: .*full")
        fits = layer_of([Entry("fits", 0o644, "file", os.urandom(1 << 20))])
        origin.serve("hostile/fits:1", image_of([fits], {}))
        assert await node.service.pull(f"{origin.host}/hostile/fits:1")
    finally:
        await node.close()


def two_of_one_size() -> tuple[Layer, Layer]:
    one, two = (Layer(blob=tar_of([Entry(name, 0o644)]), diff_id="") for name in "ab")
    return (
        Layer(blob=one.blob, diff_id=digest_of(one.blob)),
        Layer(blob=two.blob, diff_id=digest_of(one.blob)),
    )


async def test_another_layer_of_the_same_size(node: Node, origin: Origin) -> None:
    """A config that claims the diff-id of a layer for another one."""
    _, false = two_of_one_size()
    await refused(node, origin, image(false), errors.FailedPrecondition, f"layer {false.digest}: .*config says")
