"""A real docker-registry that is damaged, frozen, killed or busy: one clear error, and a store as it was before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright import errors
from podwright.conformance.patience import patient
from tests.harness.sockets import none_to
from tests.runtime.image.node import MakeNode, Node
from tests.runtime.image.refusing import SHARED, Origin, keep_one, refused
from tools.images import Entry, image_of, layer_of
from tools.registry import Registry

pytestmark = pytest.mark.root

# Far more than sockets buffer, so that a server which stops in the middle has not sent it all.
BIG = layer_of([Entry("big", 0o644, "file", os.urandom(48 << 20))])
IMAGE = image_of([SHARED, BIG], {})

# A registry that stops in the middle of the big layer may owe others too: they come side by side.
ANY_BLOB = f"({BIG.digest}|{SHARED.digest}|{IMAGE.image_id})"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with `app:1`, which may be spoiled; each test leaves it whole."""
    with Registry(tmp_path_factory.mktemp("own")) as registry:
        registry.push("app:1", IMAGE)
        yield registry


@pytest_asyncio.fixture
async def node(make_node: MakeNode, own: Registry) -> Node:
    """A node that has an image already, of which `app:1` shares a layer."""
    node = await make_node()
    await keep_one(node, Origin(own.host, own.push))
    return node


@pytest.fixture
def blob(own: Registry, node: Node) -> Iterator[Path]:
    """The file of the big layer in the registry."""
    path = own.blob_path(BIG.digest)
    yield path
    path.write_bytes(BIG.blob)


def _flipped(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(1 << 20)
        byte = file.read(1)
        file.seek(1 << 20)
        file.write(bytes([byte[0] ^ 1]))


def _longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(1000))


DAMAGES: dict[str, tuple[Callable[[Path], object], type[errors.PodwrightError], str]] = {
    "flipped": (_flipped, errors.FailedPrecondition, f"layer {BIG.digest}: "),
    "truncated": (lambda path: os.truncate(path, 2 << 20), errors.FailedPrecondition, f"of {BIG.digest}"),
    "empty": (lambda path: os.truncate(path, 0), errors.FailedPrecondition, f"of {BIG.digest}"),
    "longer": (_longer, errors.FailedPrecondition, f"{BIG.digest} is larger than its"),
    "gone": (lambda path: path.unlink(), errors.NotFound, f"app@{BIG.digest}: .*does not have app@{BIG.digest}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_layer(damage: str, node: Node, own: Registry, blob: Path) -> None:
    spoil, error, words = DAMAGES[damage]
    spoil(blob)
    await refused(node, own.host, error, words)
    blob.write_bytes(BIG.blob)
    assert await node.service.pull(f"{own.host}/app:1") == IMAGE.image_id


def received_bytes(node: Node) -> int:
    """How much of the largest unfinished blob has come."""
    sizes = [0]
    for path in (node.root / "images/ingest").iterdir():
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes)


async def downloading(node: Node) -> None:
    """Wait until a part of the layer has come."""
    async with asyncio.timeout(patient(60)):
        while received_bytes(node) < 1 << 20:  # noqa: ASYNC110 # files tell nobody
            await asyncio.sleep(0)


def signalled(own: Registry, number: signal.Signals) -> None:
    assert own.process is not None
    own.process.signal(number)


@contextlib.asynccontextmanager
async def signalled_midway(node: Node, own: Registry, number: signal.Signals) -> AsyncIterator[None]:
    """The registry gets the signal in the middle of a layer that is pulled inside."""

    async def act() -> None:
        await downloading(node)
        signalled(own, number)

    acting = asyncio.create_task(act())
    try:
        yield
        await acting
    finally:
        acting.cancel()


async def test_a_registry_that_hangs_in_the_middle_of_a_layer(hasty_node: Node, own: Registry) -> None:
    """The kernel goes on accepting connections for it, but nobody answers."""
    try:
        async with signalled_midway(hasty_node, own, signal.SIGSTOP):
            words = rf"^RegistryUnavailable: .*app@{ANY_BLOB}: .*not a byte for 1 s"
            await refused(hasty_node, own.host, errors.Unknown, words)
    finally:
        signalled(own, signal.SIGCONT)
    assert await hasty_node.service.pull(f"{own.host}/app:1") == IMAGE.image_id


async def test_a_registry_that_hangs_from_the_start(hasty_node: Node, own: Registry) -> None:
    signalled(own, signal.SIGSTOP)
    try:
        words = "^RegistryUnavailable: .*not a byte for 1 s"
        await refused(hasty_node, own.host, errors.Unknown, words, digest=False)
    finally:
        signalled(own, signal.SIGCONT)


async def test_a_registry_that_dies_in_the_middle_of_a_layer(node: Node, own: Registry) -> None:
    try:
        async with signalled_midway(node, own, signal.SIGKILL):
            words = rf"^RegistryUnavailable: .*app@{ANY_BLOB}: .*(refused|the connection broke)"
            await refused(node, own.host, errors.Unknown, words)
    finally:
        own.stop()
        own.start()
    assert await node.service.pull(f"{own.host}/app:1") == IMAGE.image_id


async def test_ten_pulls_of_which_one_is_cancelled(node: Node, own: Registry) -> None:
    before, asked = node.listing(), len(own.accesses())
    pulls = [asyncio.create_task(node.service.pull(f"{own.host}/app:1")) for _ in range(10)]
    await downloading(node)
    pulls[0].cancel()
    assert set(await asyncio.gather(*pulls[1:])) == {IMAGE.image_id}
    assert pulls[0].cancelled()
    await none_to(own.port)
    paths = [seen.path for seen in own.accesses()[asked:]]
    assert paths.count("/v2/app/manifests/1") == 1  # one pull for all
    await node.service.remove(IMAGE.image_id)
    assert node.listing() == before


async def test_ten_pulls_that_are_all_cancelled(node: Node, own: Registry) -> None:
    before = node.listing()
    pulls = [asyncio.create_task(node.service.pull(f"{own.host}/app:1")) for _ in range(10)]
    await downloading(node)
    for pull in pulls:
        pull.cancel()
    await asyncio.wait(pulls)
    assert all(pull.cancelled() for pull in pulls)
    await none_to(own.port)
    assert node.listing() == before
