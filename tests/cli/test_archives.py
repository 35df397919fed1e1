"""`podwright load` and `save` as people use them, and what containerd makes of our archives and we of containerd's."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from tests.cli.conftest import Cli, Outcome, run_cli
from tests.harness.containerd import Containerd
from tests.harness.podwright import Podwright
from tests.runtime.archive.archives import oci_members, tar
from tools.images import busybox_image
from tools.registry import Registry

pytestmark = pytest.mark.root

IMAGE = busybox_image(Labels={"of": "cli-archives"})


@pytest_asyncio.fixture
async def cli(podwright_server: Podwright) -> AsyncIterator[Cli]:
    """The command line, pointed at our server; images of these tests are removed at the end."""

    async def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        return await run_cli(*arguments, stdin=stdin, env={"CONTAINER_RUNTIME_ENDPOINT": podwright_server.endpoint})

    yield run
    await run("rmi", IMAGE.image_id)


@pytest.fixture
def name(registry: Registry) -> str:
    registry.push("cli/archives:1", IMAGE)
    return f"{registry.host}/cli/archives:1"


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
async def test_there_and_back_through_files_and_pipes(form: str, cli: Cli, name: str, tmp_path: Path) -> None:
    await cli("pull", "-q", name)
    saved = await cli("save", "--format", form, "-o", str(tmp_path / "a.tar"), name)
    assert (saved.code, saved.out, saved.err) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    await cli("rmi", name)
    loaded = await cli("load", "-", stdin=(tmp_path / "a.tar").read_bytes())
    assert (loaded.code, loaded.out) == (0, f"{name}: {IMAGE.image_id}\n")
    renamed = await cli("load", "--name", "cli/renamed:2", str(tmp_path / "a.tar"))
    assert renamed.out == f"docker.io/cli/renamed:2: {IMAGE.image_id}\n"


def skopeo_copy(source: str, target: str) -> None:
    subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", source, target], check=True, timeout=patient(60))


async def test_an_archive_of_skopeo_with_a_bare_word(cli: Cli, name: str, tmp_path: Path) -> None:
    skopeo_copy(f"docker://{name}", f"oci-archive:{tmp_path}/a.tar:v1")
    loaded = await cli("load", str(tmp_path / "a.tar"))
    assert (loaded.code, loaded.out) == (0, f"localhost/v1:latest: {IMAGE.image_id}\n")


async def test_a_layout_directory(cli: Cli, name: str, tmp_path: Path) -> None:
    skopeo_copy(f"docker://{name}", f"oci:{tmp_path}/layout:example.test/laid/out:1")
    loaded = await cli("load", f"{tmp_path}/layout")
    assert (loaded.code, loaded.out, loaded.err) == (0, f"example.test/laid/out:1: {IMAGE.image_id}\n", "")
    (tmp_path / "layout/blobs/sha256/more").mkdir()
    [blob] = [path for path in (tmp_path / "layout/blobs/sha256").iterdir() if path.name == IMAGE.digest[7:]]
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")  # as where several layouts share their blobs
    renamed = await cli("load", "--name", "cli/laid:2", f"{tmp_path}/layout")
    assert renamed.out == f"docker.io/cli/laid:2: {IMAGE.image_id}\n"
    blob.unlink()
    assert "the archive lacks" in (await cli("load", f"{tmp_path}/layout")).err


async def test_one_name_for_two_images(cli: Cli, tmp_path: Path) -> None:
    other = busybox_image(Labels={"of": "cli-archives, too"})
    (tmp_path / "a.tar").write_bytes(tar(oci_members({"first:1": IMAGE, "second:1": other})))
    done = await cli("load", "--name", "cli/one:1", str(tmp_path / "a.tar"))
    assert (done.code, done.out) == (2, "")
    assert "'first:1'" in done.err
    assert "'second:1'" in done.err


async def test_a_failed_save_leaves_no_file(cli: Cli, tmp_path: Path) -> None:
    done = await cli("save", "-o", str(tmp_path / "a.tar"), "nobody/knows:1")
    assert (done.code, list(tmp_path.iterdir())) == (1, [])
    assert "nobody/knows:1 is not on this node" in done.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither index.json nor manifest.json"),
        (b"no tar" * 1000, "not a usable image archive"),
        (b"no tar" * 2_000_000, "not a usable image archive"),  # the refusal comes while the rest is being sent
    ],
    ids=["empty", "no-tar", "large"],
)
async def test_bad_archives(content: bytes, words: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    for arguments, stdin in ((str(tmp_path / "a.tar"), b""), ("-", content)):
        done = await cli("load", arguments, stdin=stdin)
        assert done.code == 1
        assert words in done.err


async def test_files_that_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    assert "not an OCI layout: it has no oci-layout" in (await cli("load", str(tmp_path))).err
    assert "No such file" in (await cli("load", str(tmp_path / "nope"))).err


@pytest.mark.peer
async def test_other_runtimes_cannot(containerd_server: Containerd, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(bytes(1024))
    loads = [["load", str(tmp_path / "a.tar")]] * 8  # at once: what is sent races with the refusal
    commands = [*loads, ["save", "-o", str(tmp_path / "b.tar"), "busybox"]]
    for done in await asyncio.gather(*(run_cli("-e", containerd_server.endpoint, *words) for words in commands)):
        assert done.code == 1
        assert "it needs podwright serve" in done.err


def ctr(server: Containerd, *arguments: str) -> str:
    command = ["ctr", "--address", str(server.socket), "--namespace", "archives", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=patient(60)).stdout


@pytest.mark.peer
@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
async def test_containerd_imports_and_exports(
    form: str, cli: Cli, name: str, containerd_server: Containerd, tmp_path: Path
) -> None:
    await cli("pull", "-q", name)
    await cli("save", "--format", form, "-o", str(tmp_path / "a.tar"), name)
    await cli("rmi", name)
    try:
        ctr(containerd_server, "images", "import", str(tmp_path / "a.tar"))
        assert name in ctr(containerd_server, "images", "ls", "-q").split()
        ctr(containerd_server, "images", "export", str(tmp_path / "b.tar"), name)
    finally:
        ctr(containerd_server, "images", "rm", "--sync", name)
    loaded = await cli("load", str(tmp_path / "b.tar"))
    assert loaded.out == f"{name}: {IMAGE.image_id}\n"
