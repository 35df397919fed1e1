"""Registries that lie, break off, hang or never end: one clear error each, and a store as it was before.

What honest registries give out, too, is in `test_hostile_content`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from podwright import errors
from podwright.conformance.patience import patient
from tests.harness.scripted_registry import Answer, ScriptedRegistry, breaking_off, fixed
from tests.harness.sockets import none_to
from tests.runtime.image.node import MakeNode, Node
from tests.runtime.image.refusing import SHARED, Origin, keep_one, refused
from tools.images import Entry, Image, Layer, digest_of, image_of, layer_of

pytestmark = pytest.mark.root

BIG = layer_of([Entry("big", 0o644, "file", os.urandom(5_000_000))])


def image(*layers: Layer) -> Image:
    return image_of([SHARED, *layers], {})


@pytest_asyncio.fixture
async def node(make_node: MakeNode, liar: ScriptedRegistry) -> Node:
    """A node that has an image already."""
    node = await make_node()
    await keep_one(node, Origin(liar.host, liar.serve))
    return node


def blob_path(layer: Layer) -> str:
    return f"/v2/app/blobs/{layer.digest}"


async def test_another_digest(node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.put(blob_path(BIG), BIG.blob[:-1] + b"x")
    await refused(node, liar.host, errors.FailedPrecondition, f"{BIG.digest} was requested, but sha256:")


@pytest.mark.parametrize("change", [-1000, 1000])
async def test_more_or_fewer_bytes_than_declared(change: int, node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.put(blob_path(BIG), BIG.blob[:change] if change < 0 else BIG.blob + bytes(change))
    await refused(node, liar.host, errors.FailedPrecondition, BIG.digest)


async def test_a_connection_that_breaks_for_ever(node: Node, liar: ScriptedRegistry) -> None:
    liar.ranges = False
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = breaking_off(BIG.blob, 2_000_000)
    await refused(node, liar.host, errors.Unknown, rf"^RegistryUnavailable: .*{liar.host}")


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


async def test_a_download_that_hangs(hasty_node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = hanging_after(BIG.blob, 3_000_000, asyncio.Event())
    liar.ranges = False
    await refused(hasty_node, liar.host, errors.Unknown, "^RegistryUnavailable: .*not a byte for 1 s")


async def test_a_caller_who_gives_up(node: Node, liar: ScriptedRegistry) -> None:
    reached, before = asyncio.Event(), node.listing()
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = hanging_after(BIG.blob, 3_000_000, reached)
    pull = asyncio.create_task(node.service.pull(f"{liar.host}/app:1"))
    await reached.wait()
    async with asyncio.timeout(patient(60)):
        while node.listing() == before:  # noqa: ASYNC110 # the disk tells nobody
            await asyncio.sleep(0.01)
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    await none_to(liar.port)
    assert node.listing() == before


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005, 0.02, 0.05])
async def test_a_deadline_at_any_moment(after_s: float, node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    before = node.listing()
    try:
        async with asyncio.timeout(after_s):
            await node.service.pull(f"{liar.host}/app:1")
    except TimeoutError:
        assert node.listing() == before
    assert await node.service.pull(f"{liar.host}/app:1")


async def test_ten_callers_of_whom_one_gives_up(node: Node, liar: ScriptedRegistry) -> None:
    reached, go_on, before = asyncio.Event(), asyncio.Event(), node.listing()
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
    await none_to(liar.port)
    assert list((node.root / "images/ingest").iterdir()) == []
    await node.service.remove(image(BIG).image_id)
    assert node.listing() == before


async def test_one_failure_does_not_spoil_another_pull_of_the_same_layer(node: Node, liar: ScriptedRegistry) -> None:
    bad, before = layer_of([Entry("../out", 0o644)]), node.listing()
    liar.serve("app:1", image(BIG, bad))
    liar.serve("fine:1", image(BIG))
    results = await asyncio.gather(
        node.service.pull(f"{liar.host}/app:1"), node.service.pull(f"{liar.host}/fine:1"), return_exceptions=True
    )
    assert isinstance(results[0], errors.FailedPrecondition)
    assert results[1] == image(BIG).image_id
    assert len(node.layers()) == 2
    await node.service.remove(image(BIG).image_id)
    assert node.listing() == before


def path_of(where: str, image: Image) -> str:
    """Of the document of that kind in the registry."""
    kinds = {"tag": "manifests/1", "manifest": f"manifests/{image.digest}", "config": f"blobs/{image.image_id}"}
    return f"/v2/app/{kinds[where]}" if where in kinds else blob_path(image.layers[-1])


def endless(start: bytes = b"", **headers: str) -> Answer:
    """A body without end, and without a length."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={key.replace("_", "-"): value for key, value in headers.items()})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(start)
        while True:
            await response.write(bytes(1 << 20))

    return answer


async def test_a_layer_without_end(node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = endless(BIG.blob)
    await refused(node, liar.host, errors.FailedPrecondition, f"{BIG.digest} is larger than its {len(BIG.blob)}")


async def test_documents_without_end(node: Node, liar: ScriptedRegistry) -> None:
    honest = image(BIG)
    for path in (f"blobs/{honest.image_id}", f"manifests/{honest.digest}"):
        liar.serve("app:1", honest)
        liar.answers = {f"/v2/app/{path}": endless(b"{")}
        await refused(node, liar.host, errors.FailedPrecondition, f"{liar.host} sends more than 8388608 bytes")


async def test_an_error_without_end(node: Node, liar: ScriptedRegistry) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403)
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(b"no " * 10_000)

    liar.serve("app:1", image(BIG))
    liar.answers[blob_path(BIG)] = answer
    await refused(node, liar.host, errors.FailedPrecondition, f"{BIG.digest}: {liar.host} sends more than")


@pytest.mark.parametrize("where", ["tag", "manifest", "config", "layer"])
async def test_redirects_without_end(where: str, node: Node, liar: ScriptedRegistry) -> None:
    """In a circle, and to ever new places."""
    honest = image(BIG)
    path = path_of(where, honest)
    count = 0

    async def onwards(_request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.Response(status=302, headers={"Location": f"/elsewhere/{count}"})

    async def everywhere(request: web.Request) -> web.StreamResponse:
        return await (onwards if request.path.startswith("/elsewhere") else liar.honest)(request)

    liar.serve("app:1", honest)
    for answers in ({path: fixed(307, Location=path)}, {path: onwards, "*": everywhere}):
        liar.answers = dict(answers)
        words = f"{liar.host} redirects in a circle"
        await refused(node, liar.host, errors.FailedPrecondition, words, digest=where != "tag")
    assert count <= 20


HTML = b"<html>sign in</html>"


@pytest.mark.parametrize("where", ["tag", "manifest", "config", "layer"])
async def test_html_for_everything(where: str, node: Node, liar: ScriptedRegistry) -> None:
    honest = image(BIG)
    liar.serve("app:1", honest)
    liar.answers[path_of(where, honest)] = fixed(200, HTML, Content_Type="text/html; charset=utf-8")
    words = (
        f"{liar.host} sends {len(HTML)} of the" if where == "layer" else f"{liar.host} answers with text/html where"
    )
    await refused(node, liar.host, errors.FailedPrecondition, words, digest=where != "tag")


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"{", errors.FailedPrecondition, "not the JSON of an image"),
        (b'{"schemaVersion": 1, "fsLayers": []}', errors.FailedPrecondition, "schema 1"),
        (b'{"schemaVersion": 2, "layers": []}', errors.FailedPrecondition, "config"),
        (json.dumps({"schemaVersion": 2, "manifests": []}).encode(), errors.NotFound, "and for no other platform"),
        (b'{"errors": [{"code": "UNKNOWN"}]}', errors.FailedPrecondition, "schemaVersion is 0"),
        (b"[" * 1_000_000, errors.FailedPrecondition, "not the JSON of an image"),
        (
            b'{"schemaVersion": 2, "mediaType": "a\\nb\\u001b"}',
            errors.FailedPrecondition,
            r"its manifest has the type a\?b\?$",
        ),
    ],
    ids=["cut", "schema-1", "no-config", "empty-index", "error", "deep", "line-breaks"],
)
async def test_what_is_no_manifest(
    body: bytes, error: type[errors.PodwrightError], words: str, node: Node, liar: ScriptedRegistry
) -> None:
    """Under the digest that it has."""
    for reference in ("1", digest_of(body)):
        liar.put(f"/v2/app/manifests/{reference}", body, "application/json")
    await refused(node, liar.host, error, words)


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:12", "md5:" + "0" * 32, "../../etc/passwd", ""])
async def test_a_tag_with_a_false_digest(digest: str, node: Node, liar: ScriptedRegistry) -> None:
    """Nothing is taken on the word of a header; a header that says nothing is as good as none."""
    liar.serve("app:1", image())

    async def lying(request: web.Request) -> web.StreamResponse:
        response = await liar.honest(request)
        if request.path.endswith("/1"):
            response.headers["Docker-Content-Digest"] = digest
        return response

    liar.answers["*"] = lying
    if digest.startswith("sha256:000"):
        await refused(node, liar.host, errors.NotFound, f"app@{digest}")
    else:
        assert await node.service.pull(f"{liar.host}/app:1") == image().image_id


@pytest.mark.parametrize("challenge", ["Basic realm=x", 'Bearer realm="{url}/token"'])
async def test_401_for_ever(challenge: str, node: Node, liar: ScriptedRegistry) -> None:
    """From the start, and only for the layer."""
    liar.serve("app:1", image(BIG))
    asking = fixed(401, WWW_Authenticate=challenge.format(url=liar.url))
    token = {"/token": fixed(200, b'{"token": "useless"}')}
    liar.answers = {"*": asking, **token}
    await refused(node, liar.host, errors.PermissionDenied, f"{liar.host} denies access to app", digest=False)
    liar.answers = {blob_path(BIG): asking, **token}
    await refused(node, liar.host, errors.PermissionDenied, f"app@{BIG.digest}: {liar.host} denies access to app")


async def test_a_layer_that_changes_between_two_ranges(node: Node, liar: ScriptedRegistry) -> None:
    """The first half is of one blob, the second of another."""
    liar.serve("app:1", image(BIG))
    halves = [breaking_off(BIG.blob, 2_000_000)]
    liar.put(blob_path(BIG), BIG.blob[:-5] + b"other")

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (halves.pop() if halves else liar.honest)(request)

    liar.answers[blob_path(BIG)] = answer
    await refused(node, liar.host, errors.FailedPrecondition, f"{BIG.digest} was requested, but sha256:")
    assert any("Range" in seen.headers for seen in liar.requests)


@pytest.mark.parametrize(
    "content_range", ["bytes 0-9/10", "bytes 1999999-5/6", "items 2-3/4", "", "bytes 99999999999999999999-1/2"]
)
async def test_another_range_than_asked_for(content_range: str, node: Node, liar: ScriptedRegistry) -> None:
    liar.serve("app:1", image(BIG))
    first = [breaking_off(BIG.blob, 2_000_000)]
    wrong = fixed(206, BIG.blob[:10], Content_Range=content_range)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (first.pop() if first else wrong)(request)

    liar.answers[blob_path(BIG)] = answer
    await refused(node, liar.host, errors.FailedPrecondition, f"{liar.host} sends another range of {BIG.digest}")


@pytest.mark.parametrize("wrong", ["whole", "half"])
async def test_a_mirror_with_a_wrong_layer(
    wrong: str, make_node: MakeNode, liar: ScriptedRegistry, tmp_path: Path
) -> None:
    """Also when it breaks off, and the registry goes on with what the mirror began."""
    async with ScriptedRegistry() as honest:
        honest.serve("app:1", image(BIG))
        liar.serve("app:1", image(BIG))
        liar.put(blob_path(BIG), b"wrong" + BIG.blob[5:])
        if wrong == "half":
            liar.answers[blob_path(BIG)] = breaking_off(b"wrong" + BIG.blob[5:], 3_000_000)
        (tmp_path / "certs/_default").mkdir(parents=True)
        (tmp_path / "certs/_default/hosts.toml").write_text(f'[host."{liar.url}"]')
        node = await make_node(registry={"config_path": str(tmp_path / "certs")})
        assert await node.service.pull(f"{honest.host}/app:1") == image(BIG).image_id
        assert set(honest.paths()) == {blob_path(BIG)}
        for port in (honest.port, liar.port):
            await none_to(port)
