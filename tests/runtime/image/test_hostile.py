"""Registries and images that lie: one clear error each, and a store as it was before."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from podwright import errors
from podwright.linux import mount
from tests.harness.scripted_registry import ScriptedRegistry, breaking_off, fixed
from tests.runtime.image.node import MakeNode, Node
from tests.runtime.storage.unpack.test_tree import ESCAPES, sparse
from tools.images import Entry, Image, Layer, digest_of, image_of, layer_of, layer_of_tar, tar_of

pytestmark = pytest.mark.root

GOOD = layer_of([Entry("good", 0o644, "file", os.urandom(100_000))])
BIG = layer_of([Entry("big", 0o644, "file", os.urandom(5_000_000))])


def image(*layers: Layer) -> Image:
    return image_of([GOOD, *layers], {})


def blob_path(layer: Layer) -> str:
    return f"/v2/app/blobs/{layer.digest}"


async def refused(node: Node, liar: ScriptedRegistry, error: type[errors.PodwrightError], words: str) -> None:
    with pytest.raises(error, match=words) as failure:
        await node.service.pull(f"{liar.host}/app:1")
    assert type(failure.value) is not errors.Internal
    assert node.leftovers() == []
    assert node.service.list() == []


@pytest.mark.parametrize("entries", ESCAPES.values(), ids=ESCAPES)
async def test_layers_that_want_out(entries: list[Entry], node: Node, liar: ScriptedRegistry, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("kept")
    placed = [
        entry._replace(payload=entry.payload.format(outside=tmp_path)) if isinstance(entry.payload, str) else entry
        for entry in entries
    ]
    bad = layer_of(placed)
    liar.serve("app:1", image(bad))
    await refused(node, liar, errors.FailedPrecondition, bad.digest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "secret"]


async def test_a_hole_of_100_gib(node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(layer_of_tar(sparse(100 * 1024**3))))
    await refused(node, liar, errors.FailedPrecondition, "holes included")


async def test_a_bomb(make_node: MakeNode, liar: ScriptedRegistry) -> None:
    node = await make_node(images={"max_unpacked_bytes": 10 << 20})
    liar.serve("app:1", image(layer_of([Entry("zeros", 0o644, "file", bytes(200 << 20))])))
    await refused(node, liar, errors.FailedPrecondition, str(10 << 20))


async def test_too_many_entries_and_layers(make_node: MakeNode, liar: ScriptedRegistry) -> None:
    node = await make_node(images={"max_entries": 5, "max_layers": 3})
    liar.serve("app:1", image(layer_of([Entry(str(number), 0o644) for number in range(6)])))
    await refused(node, liar, errors.FailedPrecondition, "more than 5 entries")
    liar.serve("app:1", image(GOOD, GOOD, GOOD))
    await refused(node, liar, errors.FailedPrecondition, "4 layers")


async def test_another_digest(node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.put(blob_path(BIG), BIG.blob[:-1] + b"x")
    await refused(node, liar, errors.FailedPrecondition, f"{BIG.digest} was asked for, but sha256:")


async def test_another_layer_of_the_same_size(node: Node, liar: ScriptedRegistry) -> None:
    one, two = (Layer(blob=gzip.compress(tar_of([Entry(name, 0o644)]), mtime=0), diff_id="") for name in "ab")
    one = Layer(blob=one.blob, diff_id=digest_of(gzip.decompress(one.blob)))
    liar.serve("app:1", image(one))
    liar.put(blob_path(one), two.blob.ljust(len(one.blob), b"\0")[: len(one.blob)])
    await refused(node, liar, errors.FailedPrecondition, one.digest)


async def test_a_diff_id_that_is_not_true(node: Node, liar: ScriptedRegistry) -> None:
    false = Layer(blob=BIG.blob, diff_id="sha256:" + "0" * 64)
    liar.serve("app:1", image(false))
    await refused(node, liar, errors.FailedPrecondition, "the image's config says sha256:000")


@pytest.mark.parametrize("change", [-1000, 1000])
async def test_more_or_fewer_bytes_than_declared(change: int, node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.put(blob_path(BIG), BIG.blob[:change] if change < 0 else BIG.blob + bytes(change))
    await refused(node, liar, errors.FailedPrecondition, BIG.digest)


async def test_a_connection_that_breaks_for_ever(node: Node, liar: ScriptedRegistry) -> None:
    liar.ranges = False
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = breaking_off(BIG.blob, 2_000_000)
    await refused(node, liar, errors.Unknown, rf"^RegistryUnavailable: .*{liar.host}")


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"<html>sign in</html>", errors.FailedPrecondition, "text/html"),
        (b"{", errors.FailedPrecondition, "not the JSON of an image"),
        (b'{"schemaVersion": 1, "fsLayers": []}', errors.FailedPrecondition, "schema 1"),
        (b'{"schemaVersion": 2, "layers": []}', errors.FailedPrecondition, "config"),
        (json.dumps({"schemaVersion": 2, "manifests": []}).encode(), errors.NotFound, "it has none"),
    ],
)
async def test_what_is_no_manifest(
    body: bytes, error: type[errors.PodwrightError], words: str, node: Node, liar: ScriptedRegistry
) -> None:
    liar.answers["*"] = fixed(200, body, Content_Type="text/html", Docker_Content_Digest=digest_of(body))
    if not body.startswith(b"{"):
        liar.answers["*"] = fixed(200, body, Content_Type="text/html")
    await refused(node, liar, error, words)


async def test_configs_that_do_not_fit(node: Node, liar: ScriptedRegistry) -> None:
    honest = image()
    manifest = json.loads(honest.manifest)
    manifest["layers"] *= 2
    liar.serve(
        "app:1",
        Image(
            manifest=json.dumps(manifest).encode(),
            media_type=honest.media_type,
            config=honest.config,
            layers=honest.layers,
            platform={},
        ),
    )
    await refused(node, liar, errors.FailedPrecondition, "manifest has 2 layers, the config 1")


async def test_401_for_ever(node: Node, liar: ScriptedRegistry) -> None:
    liar.answers["*"] = fixed(401, WWW_Authenticate="Basic realm=x")
    await refused(node, liar, errors.PermissionDenied, liar.host)


def hanging_after(
    data: bytes, after: int, reached: asyncio.Event
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:after])
        reached.set()
        await asyncio.sleep(3600)
        return response

    return answer


async def test_a_download_that_hangs(node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = hanging_after(BIG.blob, 3_000_000, asyncio.Event())
    liar.ranges = False
    await refused(node, liar, errors.Unknown, "^RegistryUnavailable: .*not a byte for 1 s")


async def test_a_caller_who_gives_up(node: Node, liar: ScriptedRegistry) -> None:
    reached = asyncio.Event()
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = hanging_after(BIG.blob, 3_000_000, reached)
    pull = asyncio.create_task(node.service.pull(f"{liar.host}/app:1"))
    await reached.wait()
    await asyncio.sleep(0.05)
    assert node.leftovers() != []
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    assert node.leftovers() == []


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005, 0.02, 0.05])
async def test_a_deadline_at_any_moment(after_s: float, node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    try:
        async with asyncio.timeout(after_s):
            await node.service.pull(f"{liar.host}/app:1")
    except TimeoutError:
        assert node.leftovers() == []
    assert await node.service.pull(f"{liar.host}/app:1")


async def test_ten_callers_of_whom_one_gives_up(node: Node, liar: ScriptedRegistry) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    liar.serve("app:1", image(BIG))

    async def slow(request: web.Request) -> web.StreamResponse:
        reached.set()
        await go_on.wait()
        return await liar.honest(request)

    liar.answers[blob_path(BIG)] = slow
    pulls = [asyncio.create_task(node.service.pull(f"{liar.host}/app:1")) for _ in range(10)]
    await reached.wait()
    pulls[0].cancel()
    await asyncio.wait([pulls[0]])
    go_on.set()
    ids = await asyncio.gather(*pulls[1:])
    assert set(ids) == {image(BIG).image_id}
    assert pulls[0].cancelled()
    assert liar.paths().count(blob_path(BIG)) == 1


async def test_one_failure_does_not_spoil_another_pull_of_the_same_layer(node: Node, liar: ScriptedRegistry) -> None:
    bad = layer_of([Entry("../out", 0o644)])
    liar.serve("app:1", image(BIG, bad))
    liar.serve("fine:1", image(BIG))
    results = await asyncio.gather(
        node.service.pull(f"{liar.host}/app:1"), node.service.pull(f"{liar.host}/fine:1"), return_exceptions=True
    )
    assert isinstance(results[0], errors.FailedPrecondition)
    assert results[1] == image(BIG).image_id
    assert len(node.layers()) == 2
    await node.service.remove(image(BIG).image_id)
    assert node.leftovers() == []


async def test_a_mirror_with_a_wrong_layer(make_node: MakeNode, liar: ScriptedRegistry, tmp_path: Path) -> None:
    async with ScriptedRegistry() as honest:
        honest.serve("app:1", image(BIG))
        liar.serve("app:1", image(BIG))
        liar.put(blob_path(BIG), BIG.blob[:-5] + b"wrong")
        (tmp_path / "certs/_default").mkdir(parents=True)
        (tmp_path / "certs/_default/hosts.toml").write_text(f'[host."{liar.url}"]')
        node = await make_node(registry={"config_path": str(tmp_path / "certs")})
        assert await node.service.pull(f"{honest.host}/app:1") == image(BIG).image_id
        assert honest.paths() == [blob_path(BIG)]


@pytest.mark.parametrize("size_mib", [3, 8])
async def test_a_full_disk(size_mib: int, make_node: MakeNode, liar: ScriptedRegistry, tmp_path: Path) -> None:
    """3 MiB: not enough for the blob; 8 MiB: not enough for the blob and its files."""
    (tmp_path / "small").mkdir()
    mount.mount_tmpfs(str(tmp_path / "small"), size_bytes=size_mib << 20, mode=0o755)
    try:
        node = await make_node(root=tmp_path / "small")
        liar.serve("app:1", image(BIG))
        await refused(node, liar, errors.ResourceExhausted, f"{liar.host}/app:1: layer sha256:.*full")
        await node.close()
    finally:
        mount.unmount(str(tmp_path / "small"))
