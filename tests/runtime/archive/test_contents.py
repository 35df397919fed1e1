"""Reading an archive, whatever is in it: images or one of our errors, and nothing outside of the folder."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.runtime.archive import contents, decompress
from podwright.runtime.archive.intake import program
from podwright.runtime.archive.members import ArchiveMember, Members
from podwright.runtime.archive.stream import StreamSource
from podwright.runtime.storage.unpack.failure import UnpackError
from tests.runtime.archive.archives import Content, docker_members, entry, index, oci_members, tar
from tools.images import HOST_ARCHITECTURE, Entry, Image, Layer, digest_of, image_of, layer_of_tar, tar_of

PLAIN = tar_of([Entry("a", 0o644, "file", b"a")])
LAYER = layer_of_tar(PLAIN)
IMAGE = image_of([LAYER], {"Cmd": ["a"]})
OTHER = image_of([LAYER], {"Cmd": ["b"]})
PLAIN_IMAGE = image_of([Layer(blob=PLAIN, diff_id=digest_of(PLAIN))], {"Cmd": ["a"]})
OCI = oci_members({"example.io/a:1": IMAGE})
DOCKER = docker_members({"example.io/a:1": IMAGE}, {LAYER.diff_id: PLAIN})
LIMIT = 1 << 20


def take_in(archive: bytes, folder: Path) -> Members:
    """What the program does, without its confinement: hence in a folder of the test's own."""
    (folder / "archive").write_bytes(archive)
    before = os.getcwd()
    os.chdir(folder)
    fd = os.open("archive", os.O_RDONLY)
    try:
        source = StreamSource(fd)
        members = program.take_in(decompress.opened(source), source, "m", LIMIT)
    finally:
        os.close(fd)
        os.chdir(before)
    return Members(str(folder), msgspec.convert(members, list[ArchiveMember]))


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def found(members: dict[str, Content], folder: Path, name: str = "") -> list[tuple[list[str], str]]:
    return [(list(map(str, one.names)), one.digest) for one in contents.images(take_in(tar(members), folder), name)]


def test_an_oci_archive(tmp_path: Path) -> None:
    assert found(OCI, tmp_path) == [(["example.io/a:1"], IMAGE.digest)]


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "plain": bytes,
    "zstd": zstandard.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_compression(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (one,) = contents.images(take_in(compress(tar(OCI)), tmp_path))
    assert one.digest == IMAGE.digest


@pytest.mark.parametrize("name", ["xz", "bzip2"])
def test_streams_one_behind_the_other(name: str, tmp_path: Path) -> None:
    """What `cat` and parallel compressors make; between streams of xz there may be zeros."""
    compress, whole = COMPRESSIONS[name], tar(OCI)
    parts = [compress(whole[:700]), compress(b""), compress(whole[700:])]
    (one,) = contents.images(take_in((bytes(4) if name == "xz" else b"").join(parts) + bytes(4), tmp_path))
    assert one.digest == IMAGE.digest


@pytest.mark.parametrize("name", ["xz", "bzip2"])
def test_damaged_streams(name: str, tmp_path: Path) -> None:
    packed = COMPRESSIONS[name](tar(OCI))
    damaged = packed[:100] + bytes(20) + packed[120:]
    for number, bad in enumerate((packed[:-10], packed[:200], damaged, packed + b"more")):
        with pytest.raises(UnpackError, match=f"the {name} stream is (truncated|damaged)"):
            take_in(bad, made(tmp_path / str(number)))


def test_more_memory_than_an_archive_may_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "XZ_MEMORY_BYTES", 1 << 20)
    with pytest.raises(UnpackError, match="the xz stream is damaged: Memory usage limit"):
        take_in(lzma.compress(tar(OCI), preset=9), tmp_path)


@pytest.mark.parametrize("listed", [None, []])
def test_an_empty_index_beside_docker_s(listed: object, tmp_path: Path) -> None:
    members = DOCKER | {"index.json": json.dumps({"schemaVersion": 2, "manifests": listed}).encode()}
    assert [names for names, _ in found(members, tmp_path)] == [["example.io/a:1"]]


def test_names_by_containerds_annotation(tmp_path: Path) -> None:
    members = oci_members({"example.io/a:1": IMAGE}, annotation="io.containerd.image.name")
    assert found(members, tmp_path) == [(["example.io/a:1"], IMAGE.digest)]


def test_two_names_of_one_and_two_images(tmp_path: Path) -> None:
    members = oci_members({"a:1": IMAGE, "b:1": IMAGE, "c:1": OTHER})
    assert found(members, tmp_path) == [
        (["docker.io/library/a:1", "docker.io/library/b:1"], IMAGE.digest),
        (["docker.io/library/c:1"], OTHER.digest),
    ]


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("", f"names no tag for its image {IMAGE.digest}"),
        ("V1", "with an invalid name: 'localhost/V1'"),
        ("a/B:1", "with an invalid name: 'a/B:1'"),
    ],
)
def test_an_image_without_a_usable_name(name: str, refusal: str, tmp_path: Path) -> None:
    members = oci_members({name: IMAGE})
    with pytest.raises((FailedPrecondition, InvalidArgument), match=refusal) as failure:
        found(members, tmp_path)
    assert "--name" in failure.value.hint
    (again := tmp_path / "again").mkdir()
    assert found(members, again, "b:2") == [(["docker.io/library/b:2"], IMAGE.digest)]


@pytest.mark.parametrize(("name", "whole"), [("v1", "localhost/v1:latest"), ("1.0", "localhost/1.0:latest")])
def test_bare_words_are_names(name: str, whole: str, tmp_path: Path) -> None:
    """What skopeo writes for `oci-archive:FILE:v1`; podman loads it as localhost/v1:latest."""
    assert found(oci_members({name: IMAGE}), tmp_path) == [([whole], IMAGE.digest)]


def indexed(*entries: dict[str, object]) -> dict[str, Content]:
    """Two images, listed as told."""
    return oci_members({"a:1": IMAGE, "c:1": OTHER}) | {"index.json": index(entries)}


FIRST, SECOND = (entry(image.manifest, image.media_type, {}) for image in (IMAGE, OTHER))
OURS = {"platform": {"os": "linux", "architecture": HOST_ARCHITECTURE}}
THEIRS = {"platform": {"os": "linux", "architecture": "s390x"}}
CALLED = {"annotations": {"org.opencontainers.image.ref.name": "a:1"}}


@pytest.mark.parametrize(
    "members",
    [
        oci_members({"a:1": IMAGE, "c:1": OTHER}),
        oci_members({"v1": IMAGE, "v2": OTHER}),
        oci_members({"a:1": IMAGE, "v2": OTHER}),
        indexed(FIRST, SECOND),
        indexed(FIRST | OURS, SECOND | OURS),
        indexed(FIRST | OURS, SECOND),
        indexed(FIRST | CALLED, SECOND | CALLED),
        docker_members({"a:1": IMAGE, "c:1": OTHER}, {LAYER.diff_id: PLAIN}),
    ],
    ids=["names", "bare", "mixed", "nameless", "one-platform", "one-without-platform", "one-name", "docker"],
)
def test_one_name_for_two_images(members: dict[str, Content], tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"has 2 images, .* and .*, and only one can be called b:2") as failure:
        found(members, tmp_path, "b:2")
    listed = contents.images(take_in(tar(members), made(tmp_path / "again"))) if "manifest.json" in members else []
    for digest in [one.digest for one in listed] or [IMAGE.digest, OTHER.digest]:
        assert digest in str(failure.value)


def test_one_image_for_several_platforms(tmp_path: Path) -> None:
    members = indexed(SECOND | THEIRS, FIRST | OURS, FIRST | OURS)
    assert found(members, tmp_path, "b:2") == [(["docker.io/library/b:2"], IMAGE.digest)]


@pytest.mark.parametrize(
    "members",
    [
        indexed(FIRST | CALLED, SECOND | CALLED),
        oci_members({"docker.io/library/a:1": IMAGE, "a:1": OTHER}),
        docker_members({"docker.io/library/a:1": IMAGE, "a:1": OTHER}, {LAYER.diff_id: PLAIN}),
    ],
    ids=["written-alike", "the-same-name", "docker"],
)
def test_two_images_with_one_name(members: dict[str, Content], tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"two images called docker.io/library/a:1: sha256:.* and sha256:"):
        found(members, tmp_path)


def test_a_docker_archive(tmp_path: Path) -> None:
    members = take_in(tar(DOCKER), tmp_path)
    (one,) = contents.images(members)
    document = json.loads(one.document)
    assert document["config"]["digest"] == IMAGE.image_id
    assert [layer["digest"] for layer in document["layers"]] == [LAYER.diff_id]
    assert [str(name) for name in one.names] == ["example.io/a:1"]


def test_layers_that_are_links(tmp_path: Path) -> None:
    """Docker writes a layer that two images share once, and `../<id>/layer.tar` for the second."""
    listed = json.loads(DOCKER["manifest.json"])
    (real,) = listed[0]["Layers"]
    listed[0]["Layers"] = ["second/layer.tar"]
    members = DOCKER | {"second/layer.tar": f"../{real}", "manifest.json": json.dumps(listed).encode()}
    (one,) = contents.images(take_in(tar(members), tmp_path))
    assert json.loads(one.document)["layers"][0]["digest"] == LAYER.diff_id


def changed(members: dict[str, Content], **changes: object) -> dict[str, Content]:
    listed = json.loads(members["manifest.json"])
    listed[0] |= changes
    return members | {"manifest.json": json.dumps(listed).encode()}


HOSTILE: dict[str, tuple[dict[str, Content], str | None]] = {
    "nothing": ({}, "neither index.json nor manifest.json"),
    "no-images": ({"manifest.json": b"[]"}, "no images"),
    "not-json": (OCI | {"index.json": b"<html>"}, "index.json is invalid"),
    "another-json": (DOCKER | {"manifest.json": b'{"Config": 1}'}, "manifest.json is invalid"),
    "wrong-digest": (OCI | {next(name for name in OCI if "blobs" in name): b"other"}, "has the digest"),
    "no-manifest": ({k: v for k, v in OCI.items() if IMAGE.digest[7:] not in k}, "lacks"),
    "config-outside": (changed(DOCKER, Config="../../etc/passwd"), "lacks"),
    "layer-outside": (changed(DOCKER, Layers=["/etc/passwd"]), "lacks"),
    "link-outside": (changed(DOCKER, Layers=["l"]) | {"l": "/etc/passwd"}, "lacks"),
    "link-circle": (changed(DOCKER, Layers=["l"]) | {"l": "k", "k": "l"}, "is a dangling link"),
    "huge-document": (DOCKER | {"manifest.json": b"[" + b" " * (9 << 20)}, None),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_refused(case: str, tmp_path: Path) -> None:
    members, words = HOSTILE[case]
    with pytest.raises((FailedPrecondition, UnpackError), match=words or "more than"):
        found(members, tmp_path)


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out"])
def test_paths_that_escape(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match="leads out"):
        take_in(tar({name: b"x"}), tmp_path)
    assert not (tmp_path.parent / "out").exists()


def test_absolute_paths_are_names_like_others(tmp_path: Path) -> None:
    members = take_in(tar({"/etc/hostile": b"x"}), tmp_path)
    assert members.read("etc/hostile") == b"x"
    assert not Path("/etc/hostile").exists()


def test_more_than_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match=f"more than {LIMIT}"):
        take_in(gzip.compress(tar({"zeros": bytes(2 * LIMIT)})), tmp_path)


@settings(max_examples=80)
@given(data=st.data(), docker=st.booleans(), compressed=st.booleans())
def test_damaged_archives(data: st.DataObject, docker: bool, compressed: bool) -> None:
    """Bytes changed, cut out, doubled: images, or an error of the kinds that mean a bad archive."""
    archive = bytearray(tar(DOCKER if docker else OCI))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(archive) - 1))
        length = data.draw(st.sampled_from((1, 7, 512, 4000)))
        archive[at : at + length] = data.draw(st.sampled_from((b"", b"\xff", b"\0" * length, bytes(archive[:length]))))
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.suppress(FailedPrecondition, InvalidArgument, NotFound, UnpackError),
    ):
        read(gzip.compress(bytes(archive)) if compressed else bytes(archive), Path(folder))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(IMAGE.digest) | st.just("a:1"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("manifests", "digest", "mediaType", "size", "annotations", "Config", "Layers", "RepoTags")
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80)
@given(document=JSON, docker=st.booleans())
def test_documents_of_any_shape(document: object, docker: bool) -> None:
    name, members = ("manifest.json", DOCKER) if docker else ("index.json", OCI)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(FailedPrecondition, InvalidArgument, NotFound):
        read(tar(members | {name: json.dumps(document).encode()}), Path(folder))


def read(archive: bytes, folder: Path) -> None:
    for one in contents.images(take_in(archive, folder)):
        assert one.digest.startswith("sha256:")
    assert {path.name for path in folder.iterdir() if not path.name.startswith("m-")} == {"archive"}


def test_images_are_of_this_platform_or_refused(tmp_path: Path) -> None:
    elsewhere: Image = image_of([LAYER], {"Cmd": ["z"]}, architecture="s390x")
    members = oci_members({"a:1": elsewhere})
    listed = json.loads(members["index.json"])
    listed["manifests"][0]["platform"] = {"os": "linux", "architecture": "s390x"}
    with pytest.raises(NotFound, match="s390x"):
        found(members | {"index.json": json.dumps(listed).encode()}, tmp_path)
