from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import FailedPrecondition, NotFound, PodwrightError, Unimplemented
from podwright.runtime.registry import manifest
from podwright.runtime.registry.manifest import Descriptor, Index, Manifest, Platform
from tools.images import busybox_image, index_of

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
        ({"schemaVersion": 1, "fsLayers": []}, Unimplemented),
        ({"schemaVersion": 3}, FailedPrecondition),
        ({"schemaVersion": 2}, FailedPrecondition),
        ({"schemaVersion": 2, "manifests": [], "layers": []}, FailedPrecondition),
        ({"schemaVersion": 2, "manifests": [], "mediaType": manifest.OCI_MANIFEST}, FailedPrecondition),
        ({"schemaVersion": 2, "layers": [], "mediaType": manifest.OCI_INDEX}, FailedPrecondition),
        (
            {"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": "../../etc", "size": 1}]},
            FailedPrecondition,
        ),
        ({"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": DIGEST, "size": -1}]}, FailedPrecondition),
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


def test_null_is_as_good_as_nothing() -> None:
    document = {"rootfs": {"type": "layers", "diff_ids": None}, "config": {"Cmd": None, "Env": None}}
    assert manifest.parse_config(json.dumps(document).encode(), "x").rootfs.diff_ids is None


def test_choice_by_platform() -> None:
    old, new = described(AMD64, "1"), described(Platform(architecture="amd64", os="linux", variant="v3"), "3")
    other = described(ARM64, "2")
    wanted = [Platform(architecture="amd64", os="linux", variant="v3"), AMD64]
    assert manifest.choose([other, old, new], wanted, "x") == new
    assert manifest.choose([other, old, new], [AMD64], "x") == old
    assert manifest.choose([other, old], wanted, "x") == old


def test_attestations_are_no_images_and_unlabelled_ones_come_last() -> None:
    proof = described(AMD64, "1", **{manifest.ATTESTATION: "attestation-manifest"})
    unlabelled = described(None, "2")
    assert manifest.choose([proof, unlabelled], [AMD64], "x") == unlabelled
    assert manifest.choose([unlabelled, described(AMD64, "3")], [AMD64], "x").digest.endswith("3")


def test_nothing_fits() -> None:
    with pytest.raises(NotFound, match=r"x has no image for linux/amd64; it has linux/arm64"):
        manifest.choose([described(ARM64, "1")], [AMD64], "x")
