"""Images are well-formed and reproducible, and a real registry gives back what was pushed."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.request

import pytest

from podwright.conformance.patience import patient
from tools.images import (
    MEDIA_TYPES,
    Entry,
    Format,
    busybox_image,
    busybox_layer,
    digest_of,
    image_of,
    index_of,
    layer_of,
    tar_of,
)
from tools.registry import Registry

KINDS = [
    Entry("d", 0o1777, "dir"),
    Entry("d/f", 0o640, "file", b"text", uid=7, gid=8, xattrs={"user.a": "b"}),
    Entry("d/s", 0o777, "symlink", "/absolute"),
    Entry("d/h", 0o640, "hardlink", "d/f"),
    Entry("d/c", 0o600, "char", (1, 3)),
    Entry("../out", 0o600, "file", b"x"),
]


def test_a_tar_holds_every_kind_of_entry_as_given() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(KINDS))) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert list(members) == [entry.path for entry in KINDS]
    assert members["d"].mode == 0o1777
    assert (members["d/f"].uid, members["d/f"].gid, members["d/f"].size) == (7, 8, 4)
    assert members["d/f"].pax_headers["SCHILY.xattr.user.a"] == "b"
    assert members["d/s"].linkname == "/absolute"
    assert members["d/h"].islnk()
    assert (members["d/c"].devmajor, members["d/c"].devminor) == (1, 3)


def test_the_same_entries_give_the_same_digest() -> None:
    assert layer_of(KINDS) == layer_of(KINDS)


@pytest.mark.parametrize("style", ["oci", "docker"])
def test_a_manifest_names_its_config_and_layers_by_digest(style: Format) -> None:
    image = image_of([layer_of(KINDS)], {"User": "7", "Cmd": None}, style=style)
    manifest = json.loads(image.manifest)
    assert manifest["mediaType"] == MEDIA_TYPES[style]["manifest"]
    assert manifest["config"]["digest"] == image.image_id
    assert [layer["digest"] for layer in manifest["layers"]] == [image.layers[0].digest]
    assert json.loads(image.config)["config"] == {"User": "7"}
    assert json.loads(image.config)["rootfs"]["diff_ids"] == [digest_of(tar_of(KINDS))]


def test_the_registry_gives_back_an_index_with_its_images(registry: Registry) -> None:
    images = [busybox_image(architecture="s390x"), busybox_image()]
    index = index_of(images)
    assert registry.push("tools/index:1", index) == index.digest
    request = urllib.request.Request(f"{registry.url}/v2/tools/index/manifests/1")
    request.add_header("Accept", MEDIA_TYPES["oci"]["index"])
    with urllib.request.urlopen(request, timeout=patient(60)) as response:
        assert digest_of(response.read()) == index.digest
    for image in images:
        with urllib.request.urlopen(f"{registry.url}/v2/tools/index/blobs/{image.image_id}") as response:
            assert response.read() == image.config
    assert registry.blob_path(busybox_layer().digest).read_bytes() == busybox_layer().blob
    assert "/v2/tools/index/manifests/1" in [access.path for access in registry.accesses()]
