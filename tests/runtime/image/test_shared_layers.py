"""A layer comes once, however many pulls want it; and large ones, by segments, are as safe as others."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from aiohttp import web

from podwright import errors
from podwright.process import PosixProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.image.tools.accounts import Accountant
from podwright.runtime.image.tools.refetch import Refetcher
from podwright.runtime.image.tools.verifying import Verifier
from podwright.runtime.model.image_store import VerifySummary
from podwright.runtime.registry import ranges
from podwright.runtime.storage import unpacking
from tests.harness.scripted_registry import ScriptedRegistry, fixed
from tests.runtime.image.node import Node
from tools.images import Entry, Image, Layer, image_of, layer_of

pytestmark = pytest.mark.root

SEGMENT = 256 << 10


def layer(seed: int, size_bytes: int = 1 << 20) -> Layer:
    """One that does not compress."""
    return layer_of([Entry(f"file{seed}", 0o644, "file", random.Random(seed).randbytes(size_bytes))])


def image(*layers: Layer) -> Image:
    return image_of(layers, {"Cmd": ["x"]})


def blob_path(one: Layer, repository: str = "app") -> str:
    return f"/v2/{repository}/blobs/{one.digest}"


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a layer of each digest was unpacked."""
    counts: Counter[str] = Counter()
    real = unpacking.unpack

    async def counted(*arguments: Any) -> unpacking.UnpackReport:
        report = await real(*arguments)
        counts[report.diff_id] += 1
        return report

    monkeypatch.setattr(unpacking, "unpack", counted)
    return counts


@pytest.fixture
def segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection counts as slow, and the layers here as large."""
    monkeypatch.setattr(ranges, "SEGMENT_BYTES", SEGMENT)
    monkeypatch.setattr(ranges, "LEAST_BYTES", 2 * SEGMENT)
    monkeypatch.setattr(ranges, "FAST_BYTES_S", 1 << 60)


async def test_pulls_at_once_of_images_that_share_layers(
    node: Node, liar: ScriptedRegistry, unpacked: Counter[str]
) -> None:
    common = [layer(1), layer(2), layer(3)]
    own = [layer(seed, 4096) for seed in range(10, 14)]
    for number, last in enumerate(own):
        liar.serve(f"app{number}:1", image(*common, last))
    names = [f"{liar.host}/app{number}:1" for number in range(len(own))]
    ids = await asyncio.gather(*(node.service.pull(name) for name in names for _ in range(2)))
    assert set(ids) == {image(*common, last).image_id for last in own}
    assert unpacked == {one.diff_id: 1 for one in (*common, *own)}
    fetched = Counter(path.rpartition("/")[2] for path in liar.paths())
    assert [fetched[one.digest] for one in (*common, *own)] == [1] * 7


async def test_a_second_image_costs_its_own_layer(node: Node, liar: ScriptedRegistry, unpacked: Counter[str]) -> None:
    common = [layer(seed, 4096) for seed in range(11)]
    liar.serve("app:1", image(*common, layer(20, 4096)))
    liar.serve("next:1", image(*common, layer(21, 4096)))
    await node.service.pull(f"{liar.host}/app:1")
    unpacked.clear()
    before = len(liar.requests)
    second = await node.service.pull(f"{liar.host}/next:1")
    assert unpacked == {layer(21, 4096).diff_id: 1}
    assert {seen.path for seen in liar.requests[before:] if "/blobs/" in seen.path} == {
        blob_path(layer(21, 4096), "next"),
        f"/v2/next/blobs/{second}",
    }


async def test_a_layer_that_an_image_has_twice(node: Node, liar: ScriptedRegistry, unpacked: Counter[str]) -> None:
    """It comes once, is unpacked once, counts once, and is passed to overlayfs once: as the topmost."""
    again, between = layer(1), layer(2)
    liar.serve("app:1", image(again, between, again))
    found = node.service.get(await node.service.pull(f"{liar.host}/app:1"))
    assert unpacked == {again.diff_id: 1, between.diff_id: 1}
    [(lower, _)] = node.service.hold("holder", found.id)
    assert lower == tuple(
        node.service.catalog.layers.path(one.diff_id.removeprefix("sha256:")) for one in (again, between)
    )
    [account] = (await Accountant(node.service.catalog).accounts()).images
    assert found.size_bytes == pytest.approx(account.size_bytes, rel=0.02)
    refetcher = Refetcher(node.service.catalog.blobs, RegistrySettings(), PosixProcessRunner())
    verifier = Verifier(node.service.catalog, refetcher, keep_blobs=True)
    [summary] = [one async for one in verifier.verify([], repair=False)]
    assert isinstance(summary, VerifySummary)
    assert (summary.layers, summary.damaged, summary.unchecked_layers) == (2, 0, 0)


@pytest.mark.usefixtures("segments")
async def test_a_layer_by_segments(node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(layer(1)))
    await node.service.pull(f"{liar.host}/app:1")
    [layer_id] = node.layers()
    assert (node.layers_dir / layer_id / "fs/file1").read_bytes() == random.Random(1).randbytes(1 << 20)
    assert len([path for path in liar.paths() if path == blob_path(layer(1))]) == -(-len(layer(1).blob) // SEGMENT)


@pytest.mark.usefixtures("segments")
async def test_a_wrong_segment_leaves_nothing(node: Node, liar: ScriptedRegistry) -> None:
    """What came before it was unpacked already."""
    blob, first = layer(1).blob, 3 * SEGMENT

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Range", "").startswith(f"bytes={first}-"):
            return await liar.honest(request)
        content_range = f"bytes {first}-{first + SEGMENT - 1}/{len(blob)}"
        return await fixed(206, bytes(SEGMENT), Content_Range=content_range)(request)

    liar.serve("app:1", image(layer(1)))
    liar.answers[blob_path(layer(1))] = answer
    with pytest.raises(errors.FailedPrecondition, match=layer(1).digest):
        await node.service.pull(f"{liar.host}/app:1")
    assert node.leftovers() == []


@pytest.mark.usefixtures("segments")
async def test_a_caller_who_gives_up_amid_segments(node: Node, liar: ScriptedRegistry) -> None:
    reached = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if not request.headers["Range"].startswith("bytes=0-"):
            reached.set()
            await asyncio.Event().wait()
        return await liar.honest(request)

    liar.serve("app:1", image(layer(1)))
    liar.answers[blob_path(layer(1))] = answer
    pull = asyncio.create_task(node.service.pull(f"{liar.host}/app:1"))
    await reached.wait()
    pull.cancel()
    await asyncio.wait([pull])
    assert pull.cancelled()
    assert node.leftovers() == []
