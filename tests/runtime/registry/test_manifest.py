from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.runtime.registry import manifest
from podwright.runtime.registry.manifest import Descriptor, Index, Manifest
from podwright.runtime.registry.platforms import Platform
from tools.images import artifact_of, busybox_image, index_of

DIGEST = "sha256:" + "0" * 64


def described(platform: Platform | None, digit: str, **annotations: str) -> Descriptor:
    return Descriptor(
        media_type=manifest.OCI_MANIFEST,
        digest="sha256:" + digit * 64,
        size=1,
        platform=platform,
        annotations=annotations or None,
    )


AMD64 = Platform(architecture="amd64", os="linux")
ARM64 = Platform(architecture="arm64", os="linux")


@pytest.mark.parametrize("style", ["oci", "docker"])
def test_real_ones(style: Any) -> None:
    image = busybox_image(style=style)
    parsed = manifest.parse(image.manifest, image.media_type, "x")
    assert isinstance(parsed, Manifest)
    assert parsed.config.digest == image.image_id
    index = index_of([image], style=style)
    assert isinstance(manifest.parse(index.manifest, "", "x"), Index)
    assert manifest.parse_config(image.config, "x").rootfs.diff_ids == (image.layers[0].diff_id,)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"schemaVersion": 1, "fsLayers": []}, FailedPrecondition),
        ({"schemaVersion": 3}, FailedPrecondition),
        ({"schemaVersion": 2}, FailedPrecondition),
        ({"schemaVersion": 2, "manifests": [], "layers": []}, FailedPrecondition),
        ({"schemaVersion": 2, "manifests": [], "mediaType": manifest.OCI_MANIFEST}, FailedPrecondition),
        ({"schemaVersion": 2, "layers": [], "mediaType": manifest.OCI_INDEX}, FailedPrecondition),
        ({"schemaVersion": 2, "config": {"digest": "../../etc"}, "layers": []}, FailedPrecondition),
        ({"schemaVersion": 2, "config": {"digest": DIGEST, "size": -1}, "layers": []}, FailedPrecondition),
        ({"schemaVersion": 2, "config": {"digest": DIGEST}, "layers": [{"digest": "sha512:0"}]}, FailedPrecondition),
        ({"schemaVersion": 2, "config": None, "layers": None}, FailedPrecondition),
        ({"schemaVersion": 2, "manifests": "none"}, FailedPrecondition),
        ([], FailedPrecondition),
    ],
)
def test_what_is_no_manifest(document: object, error: type[PodwrightError]) -> None:
    with pytest.raises(error, match="reg/x:1"):
        manifest.parse(json.dumps(document).encode(), "", "reg/x:1")


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(PodwrightError):
        manifest.parse(data, "", "x")


@pytest.mark.parametrize("start", [b"[", b'{"x":', b'{"schemaVersion":2,"x":', b'{"layers":', b'{"config":'])
def test_deep_nesting(start: bytes) -> None:
    with pytest.raises(FailedPrecondition):
        manifest.parse(start + (b"[" if start.startswith(b"{") else start) * 100_000, "", "x")


def test_null_is_as_good_as_nothing() -> None:
    document: dict[str, Any] = {"rootfs": {"diff_ids": None}, "config": {"Cmd": None, "Labels": {"a": None, "b": "c"}}}
    parsed = manifest.parse_config(json.dumps(document).encode(), "x")
    assert parsed.rootfs.diff_ids is None
    assert parsed.config is not None
    assert parsed.config.labels == {"a": "", "b": "c"}
    for config in ({"rootfs": None, "config": None}, {}):
        assert manifest.parse_config(json.dumps(config).encode(), "x").rootfs.diff_ids is None


def test_nulls_in_a_manifest() -> None:
    config = {
        "digest": DIGEST,
        "size": 1,
        "mediaType": manifest.CONFIG_TYPES[0],
        "platform": None,
        "annotations": None,
    }
    document = {"schemaVersion": 2, "mediaType": None, "config": config, "layers": None, "artifactType": None}
    parsed = manifest.parse(json.dumps(document | {"annotations": {"a": None}}).encode(), "", "x")
    assert isinstance(parsed, Manifest)
    assert (parsed.layers, parsed.artifact, parsed.annotations) == ((), "", {"a": ""})
    parsed = manifest.parse(json.dumps({"schemaVersion": 2, "manifests": None}).encode(), manifest.OCI_INDEX, "x")
    assert isinstance(parsed, Index)
    assert parsed.manifests == ()


OURS = {"digest": DIGEST, "size": 1, "platform": {"os": "linux", "architecture": "amd64", "variant": None}}
OTHERS: list[object] = [
    None,
    {},
    {"digest": "sha512:" + "0" * 128, "size": 1, "platform": {"os": "linux", "architecture": "arm64"}},
    {"digest": "../../etc", "size": -1, "platform": {"os": "windows", "architecture": "amd64", "os.version": None}},
    {"digest": None, "size": None, "mediaType": None, "platform": {"os": "linux"}},
    {"digest": DIGEST, "size": 1, "platform": {}, "annotations": None},
    {"digest": DIGEST, "size": 1, "platform": {"os": None, "architecture": None, "variant": None}},
]


@pytest.mark.parametrize("other", OTHERS)
def test_entries_that_are_not_used_may_be_odd(other: object) -> None:
    document = {"schemaVersion": 2, "manifests": [other, OURS], "annotations": None}
    parsed = manifest.parse(json.dumps(document).encode(), "", "x")
    assert isinstance(parsed, Index)
    chosen = manifest.ranked(parsed.manifests, [AMD64], "x")[0]
    manifest.check(chosen, "x")
    assert (chosen.digest, chosen.platform) == (DIGEST, AMD64)


def test_an_entry_that_is_used_is_checked() -> None:
    for wrong in ({"digest": "sha512:0"}, {"digest": None}, {"size": -1}):
        parsed = manifest.parse(json.dumps({"schemaVersion": 2, "manifests": [OURS | wrong]}).encode(), "", "x")
        assert isinstance(parsed, Index)
        with pytest.raises(FailedPrecondition, match="reg/x:1"):
            manifest.check(manifest.ranked(parsed.manifests, [AMD64], "x")[0], "reg/x:1")


def test_choice_by_platform() -> None:
    old, new = described(AMD64, "1"), described(Platform(architecture="amd64", os="linux", variant="v3"), "3")
    other = described(ARM64, "2")
    wanted = [Platform(architecture="amd64", os="linux", variant="v3"), AMD64]
    assert manifest.ranked([other, old, new], wanted, "x") == [new, old]
    assert manifest.ranked([other, old, new], [AMD64], "x") == [old]
    assert manifest.ranked([other, old], wanted, "x") == [old]


def test_other_words_for_a_platform() -> None:
    alias = described(Platform(architecture="aarch64", os="linux", variant="v8"), "1")
    assert manifest.ranked([described(AMD64, "2"), alias], [ARM64], "x") == [alias]


def test_attestations_are_no_images_and_unlabelled_ones_come_last() -> None:
    proof = described(AMD64, "1", **{manifest.ATTESTATION: "attestation-manifest"})
    unknown = described(Platform(architecture="unknown", os="unknown"), "4")
    unlabelled, labelled = described(None, "2"), described(AMD64, "3")
    assert manifest.ranked([proof, unknown, unlabelled], [AMD64], "x") == [unlabelled]
    assert manifest.ranked([unlabelled, labelled], [AMD64], "x") == [labelled, unlabelled]


def test_nothing_fits() -> None:
    unknown = described(Platform(architecture="unknown", os="unknown"), "4")
    with pytest.raises(NotFound, match=r"x has no image for linux/amd64, only for linux/arm64$"):
        manifest.ranked([described(ARM64, "1"), unknown], [AMD64], "x")


def with_layer(media_type: str, config_type: str = manifest.CONFIG_TYPES[0]) -> bytes:
    layer = {"mediaType": media_type, "digest": DIGEST, "size": 1}
    document = {"schemaVersion": 2, "config": layer | {"mediaType": config_type}, "layers": [layer]}
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    ],
)
def test_layers_that_can_be_unpacked(media_type: str) -> None:
    assert isinstance(manifest.parse(with_layer(media_type), "", "x"), Manifest)


@pytest.mark.parametrize(
    ("media_type", "words"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.zip", "cannot be unpacked"),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "cannot be unpacked"),
        ("application/vnd.in-toto+json", "cannot be unpacked"),
        ("", "cannot be unpacked"),
    ],
)
def test_layers_that_cannot(media_type: str, words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words) as failure:
        manifest.parse(with_layer(media_type), "", "reg/x:1")
    assert media_type in str(failure.value)
    assert f"reg/x:1: layer {DIGEST}" in str(failure.value)


def test_artifacts_may_hold_anything() -> None:
    parsed = manifest.parse(with_layer("text/plain", "application/vnd.oci.empty.v1+json"), "", "x")
    assert isinstance(parsed, Manifest)
    assert parsed.artifact == "application/vnd.oci.empty.v1+json"
    parsed = manifest.parse(artifact_of({"f": b""}, kind="a/b").manifest, "", "x")
    assert isinstance(parsed, Manifest)
    assert parsed.artifact == "a/b"
