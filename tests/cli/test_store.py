"""`podwright df`, `prune` and `images verify`, against a daemon of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome, run_cli
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright
from tools.images import Entry, busybox_image, layer_of
from tools.registry import Registry

pytestmark = pytest.mark.root

LAYER = layer_of([Entry("etc/conf", 0o644, "file", b"content")])
IMAGE = busybox_image(LAYER)


@pytest.fixture
def names(registry: Registry) -> tuple[str, str]:
    registry.push("store/plain:1", busybox_image(Labels={"of": "store"}))
    registry.push("store/more:1", IMAGE)
    return f"{registry.host}/store/plain:1", f"{registry.host}/store/more:1"


@pytest.fixture
def server(fresh_podwright: FreshPodwright, names: tuple[str, str]) -> Podwright:
    return fresh_podwright({"images": {"pinned": [names[0]]}})


@pytest.fixture
def cli(server: Podwright) -> Cli:
    async def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        return await run_cli("-e", server.endpoint, *arguments, stdin=stdin)

    return run


async def test_df_and_prune(cli: Cli, names: tuple[str, str]) -> None:
    for name in names:
        await cli("pull", "-q", name)
    usage = (await cli("df", "-o", "json")).json()
    by_name = {image["names"][0]: image for image in usage["images"]}
    plain, more = (by_name[name] for name in names)
    assert (plain["pinned"], more["pinned"]) == (True, False)
    assert int(more["sharedBytes"]) == int(plain["sharedBytes"]) > 1_000_000
    unique = int(more["sizeBytes"]) - int(more["sharedBytes"])
    assert int(usage["prunableBytes"]) == unique
    table = (await cli("df")).out
    assert "CONTAINERS" in table
    assert "prune --all frees" in table

    planned = await cli("prune", "--all", "--dry-run")
    assert planned.out == f"{IMAGE.image_id}  {names[1]}\n"
    assert planned.err.startswith("would free ")
    assert (await cli("prune")).out == ""
    done = await cli("prune", "--all")
    assert (done.code, done.out) == (0, planned.out)
    listed = (await cli("images", "-o", "json")).json()["images"]
    assert [(image["repoTags"], image["pinned"]) for image in listed] == [([names[0]], True)]
    assert (await cli("rmi", names[0])).code == 0


async def test_verify(cli: Cli, server: Podwright, names: tuple[str, str]) -> None:
    await cli("pull", "-q", names[1])
    fine = await cli("images", "verify")
    assert (fine.code, fine.out, fine.err) == (0, "", "1 images, 4 blobs, 2 layers: 0 damaged\n")
    (conf,) = (server.directory / "root/layers").glob("*/fs/etc/conf")
    os.truncate(conf, 0)
    blob = server.directory / "root/images/blobs/sha256" / IMAGE.image_id.removeprefix("sha256:")
    Path(blob).write_bytes(b"{}")
    wrong = await cli("images", "verify", names[1])
    assert wrong.code == 1
    assert f"{IMAGE.image_id} (" in wrong.out
    assert wrong.err == "1 images, 4 blobs, 0 layers: 1 damaged; 2 layers could not be compared with their blobs\n"
    mended = await cli("images", "verify", "--repair")
    assert mended.code == 0
    assert "/etc/conf: has another size: repaired" in mended.out
    assert mended.err == "1 images, 4 blobs, 2 layers: 2 damaged, 2 repaired\n"
    assert (await cli("images", "verify")).out == ""
    assert (await cli("images", "verify", "--help")).out.startswith("Usage: podwright images verify")


async def test_push(cli: Cli, names: tuple[str, str], registry: Registry) -> None:
    await cli("pull", "-q", names[1])
    destination = f"{registry.host}/store/pushed:1"
    pushed = await cli("push", names[1], destination)
    assert (pushed.code, pushed.out) == (0, f"{destination}@{IMAGE.digest}\n")
    assert pushed.err == "0 blobs uploaded (0B), 3 taken over from another repository\n"
    assert (await cli("push", names[1])).err == "0 blobs uploaded (0B), 3 were there\n"
    assert (await cli("pull", "-q", destination)).out == f"{IMAGE.image_id}\n"
    assert "nonsense" not in (await cli("push", "--creds-stdin", names[1], stdin=b"nonsense")).err
    assert (await cli("push", "nobody/knows:1")).code == 1
