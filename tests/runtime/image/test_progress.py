"""How far pulls are, as watchers are told, with a registry that stops where the test says."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from podwright.conformance.patience import patient
from podwright.errors import InvalidArgument, PodwrightError
from podwright.runtime.image.pulling.progress import INTERVAL_S, PullProgress, PullTracker
from podwright.runtime.model.image_store import PullSnapshot, PullStage
from tests.harness.scripted_registry import ScriptedRegistry, fixed
from tests.runtime.image.node import Node
from tools.images import Entry, Image, Layer, image_of, layer_of

WAIT_S = patient(60.0)
MIB = 1 << 20
SENT_BYTES = 2 * MIB  # of which the last is stored later: blobs are written by the mebibyte


def _layer(name: str, size_bytes: int) -> Layer:
    return layer_of([Entry(name, 0o644, "file", os.urandom(size_bytes))])


@pytest.fixture(scope="module")
def big() -> Image:
    return image_of([_layer("base", MIB), _layer("top", 4 * MIB)], {})


class Gate:
    """Serves half of a blob, and the rest when it is opened."""

    def __init__(self, data: bytes) -> None:
        self.opened = asyncio.Event()
        self._data = data

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(self._data))})
        await response.prepare(request)
        await response.write(self._data[:SENT_BYTES])
        await self.opened.wait()
        await response.write(self._data[SENT_BYTES:])
        return response


def gated(liar: ScriptedRegistry, image: Image, name: str) -> Gate:
    """The top layer's gate."""
    liar.serve(name, image)
    layer = image.layers[-1]
    gate = Gate(layer.blob)
    liar.answers[f"/v2/{name.partition(':')[0]}/blobs/{layer.digest}"] = gate
    return gate


class Watcher:
    """Everything that one watcher was told."""

    def __init__(self, looks: AsyncIterator[tuple[PullSnapshot, ...]]) -> None:
        self.told: list[tuple[PullSnapshot, ...]] = []
        self._looks = looks

    async def until(self, stage: PullStage, *, name: str = "") -> PullSnapshot:
        """The next snapshot of a pull in that stage."""
        async with asyncio.timeout(WAIT_S):
            async for pulls in self._looks:
                self.told.append(pulls)
                for pull in pulls:
                    if pull.stage is stage and name in pull.reference:
                        return pull
        raise AssertionError("the stream has ended")

    async def until_moved(self) -> PullSnapshot:
        """A snapshot with some bytes of the top layer."""
        while not (pull := await self.until(PullStage.DOWNLOADING)).layers[-1].done_bytes:
            pass
        return pull


@contextlib.asynccontextmanager
async def watching(node: Node, name: str = "") -> AsyncIterator[Watcher]:
    async with contextlib.aclosing(node.service.watch_pulls(name)) as looks:
        watcher = Watcher(looks)
        yield watcher


@pytest.mark.root
async def test_a_pull_from_beginning_to_end(node: Node, liar: ScriptedRegistry, big: Image) -> None:
    gate = gated(liar, big, "some/image:1")
    async with watching(node) as watcher:
        job = asyncio.ensure_future(node.service.pull(f"{liar.host}/some/image:1"))
        half = await watcher.until_moved()
        assert half.reference == f"{liar.host}/some/image:1"
        assert [(layer.digest, layer.total_bytes) for layer in half.layers] == [
            (layer.digest, len(layer.blob)) for layer in big.layers
        ]
        assert MIB <= half.layers[-1].done_bytes <= SENT_BYTES
        gate.opened.set()
        end = await watcher.until(PullStage.DONE)
        await job
        assert all(layer.unpacked and layer.done_bytes == layer.total_bytes for layer in end.layers)
        await node.service.pull(f"{liar.host}/some/image:1")  # too quick to be told of
    assert watcher.told[0] == ()  # at once, though there is nothing to tell
    done = [pull.layers[-1].done_bytes for pulls in watcher.told for pull in pulls if len(pull.layers) == 2]
    assert done == sorted(done)


@pytest.mark.root
async def test_pulls_that_share_a_layer_move_together(node: Node, liar: ScriptedRegistry, big: Image) -> None:
    other = image_of([big.layers[1], _layer("own", 1000)], {})
    gate = gated(liar, big, "one:1")
    liar.serve("two:1", other)
    async with watching(node) as watcher:
        first = asyncio.ensure_future(node.service.pull(f"{liar.host}/one:1"))
        await watcher.until_moved()
        second = asyncio.ensure_future(node.service.pull(f"{liar.host}/two:1"))
        waiting = await watcher.until(PullStage.DOWNLOADING, name="two")
        assert MIB <= waiting.layers[0].done_bytes <= SENT_BYTES
        gate.opened.set()
        await asyncio.gather(first, second)


@pytest.mark.root
async def test_one_image_of_many(node: Node, liar: ScriptedRegistry, big: Image) -> None:
    gate = gated(liar, big, "one:latest")
    liar.serve("two:1", image_of([_layer("small", 1000)], {}))
    async with watching(node, f"{liar.host}/one") as watcher:
        job = asyncio.ensure_future(node.service.pull(f"{liar.host}/one:latest"))
        await watcher.until_moved()
        await node.service.pull(f"{liar.host}/two:1")
        gate.opened.set()
        await watcher.until(PullStage.DONE)
        await job
    assert {pull.reference for pulls in watcher.told for pull in pulls} == {f"{liar.host}/one:latest"}
    with pytest.raises(InvalidArgument):
        node.service.watch_pulls("NOT A NAME")


@pytest.mark.root
async def test_ends_that_nobody_wants(node: Node, liar: ScriptedRegistry, big: Image) -> None:
    gated(liar, big, "some/image:1")
    async with watching(node) as watcher:
        job = asyncio.ensure_future(node.service.pull(f"{liar.host}/some/image:1"))
        await watcher.until_moved()
        job.cancel()
        assert (await watcher.until(PullStage.FAILED)).error == "it was stopped"
        layer = big.layers[-1]
        liar.answers[f"/v2/some/image/blobs/{layer.digest}"] = fixed(403)
        job = asyncio.ensure_future(node.service.pull(f"{liar.host}/some/image:1"))
        failed = await watcher.until(PullStage.FAILED)
        with pytest.raises(PodwrightError) as told:
            await job
        assert failed.error == str(told.value)[:500]
    assert node.leftovers() == []


async def test_a_watcher_sees_each_change_once_and_ends_with_the_service() -> None:
    tracker = PullTracker()
    looks = tracker.watch()
    assert await anext(looks) == ()
    waiting = asyncio.ensure_future(anext(looks))
    await asyncio.sleep(INTERVAL_S * 2)
    assert not waiting.done()
    with tracker.pull("r.io/a:1") as progress:
        (resolving,) = await waiting
        assert (resolving.reference, resolving.stage) == ("r.io/a:1", PullStage.RESOLVING)
        waiting = asyncio.ensure_future(anext(looks))
        await asyncio.sleep(INTERVAL_S * 2)
        assert not waiting.done()
        progress.expect({"sha256:1": 10})
        assert (await waiting)[0].stage is PullStage.DOWNLOADING
        progress.counters["sha256:1"].done_bytes = 10
        assert (await anext(looks))[0].stage is PullStage.UNPACKING
    assert [pull.stage for pull in await anext(looks)] == [PullStage.DONE]
    assert await anext(looks) == ()
    ending = asyncio.ensure_future(anext(looks, None))
    await asyncio.sleep(0)
    tracker.close()
    assert await asyncio.wait_for(ending, WAIT_S) is None


def test_a_layer_that_comes_anew() -> None:
    progress = PullProgress("r.io/a:1")
    progress.expect({"sha256:1": 10, "sha256:2": 20})
    counters = progress.counters
    counters["sha256:1"].finish()
    counters["sha256:2"].done_bytes = 20
    assert progress.snapshot().stage is PullStage.UNPACKING
    counters["sha256:2"].done_bytes = 0
    assert progress.snapshot().stage is PullStage.DOWNLOADING
    progress.end("x" * 10_000)
    ended = progress.snapshot()
    counters["sha256:2"].finish()
    assert progress.snapshot() is ended
    assert (ended.stage, len(ended.error)) == (PullStage.FAILED, 500)
