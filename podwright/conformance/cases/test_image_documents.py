"""What images' documents may look like: nulls, odd entries, how a registry sends them."""

from __future__ import annotations

import pytest

from podwright.conformance.cases.test_image_contents import output, pull
from podwright.conformance.images import (
    ARCHITECTURE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    ImageRegistry,
    config_of,
    descriptor,
    encoded,
    file,
    layer,
    manifest_of,
)
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

pytestmark = pytest.mark.deviates("cri-o", "pulls over plain HTTP only from registries that its configuration names")

OURS = {"os": "linux", "architecture": ARCHITECTURE}
SIZED = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 7}
OTHER_ENTRIES: dict[str, dict[str, object]] = {
    "sha512": {**SIZED, "digest": "sha512:" + "0" * 128, "platform": {"os": "linux", "architecture": "s390x"}},
    "no-architecture": {**SIZED, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux"}},
    "null-variant": {**SIZED, "digest": "sha256:" + "0" * 64, "platform": {**OURS, "os": "windows", "variant": None}},
    "null-annotations": {
        **SIZED,
        "digest": "sha256:" + "0" * 64,
        "platform": {"os": "linux", "architecture": "s390x", "os.features": None},
        "annotations": None,
        "artifactType": None,
    },
}


@pytest.mark.parametrize("other", OTHER_ENTRIES.values(), ids=OTHER_ENTRIES)
async def test_entries_for_other_platforms(other: dict[str, object], pod: CasePod, images: ImageRegistry) -> None:
    name = images.push_index(other, platform={**OURS, "variant": None}, annotations=None, artifactType=None)
    assert await output(pod, name, "ls", "/bin/busybox") == "/bin/busybox\n"


@pytest.mark.deviates("podwright-docker", "the Engine answers with text alone")
async def test_an_entry_that_is_chosen_and_wrong_is_refused(pod: CasePod, images: ImageRegistry) -> None:
    name = images.push_index(platform=OURS, digest="sha512:" + "0" * 128)
    with pytest.raises(PodwrightError, match=r"sha512|not found"):
        await pull(pod, name)


async def test_nulls_in_manifest_and_config(pod: CasePod, images: ImageRegistry) -> None:
    layers = [images.base]
    config = config_of(layers, Labels={"empty": None, "full": "x"}, Cmd=None, Volumes=None) | {"history": None}
    manifest = manifest_of(config, layers) | {"annotations": None, "artifactType": None, "subject": None}
    for part in (manifest["config"], *manifest["layers"]):
        part |= {"annotations": None, "urls": None, "platform": None}
    name = images.push_documents(manifest, config, layers)
    assert await output(pod, name, "ls", "/bin/busybox") == "/bin/busybox\n"


async def test_an_image_without_layers(pod: CasePod, images: ImageRegistry) -> None:
    """As `FROM scratch` alone gives: null where the list of layers would be."""
    config = config_of([], Labels={"a": "b"}) | {"rootfs": {"type": "layers", "diff_ids": None}}
    name = images.push_documents(manifest_of(config, []) | {"layers": None}, config, [])
    image_id = await pull(pod, name)
    request = api.ImageStatusRequest(image=api.ImageSpec(image=name))
    assert (await pod.cri.call(pod.cri.images.ImageStatus, request)).image.id == image_id


@pytest.mark.parametrize("what", ["manifest", "index"])
async def test_documents_that_were_compressed_on_their_way(what: str, pod: CasePod, images: ImageRegistry) -> None:
    """Content-Encoding, by a CDN that compresses everything. The digest is that of the document."""
    config = config_of([images.base])
    document = manifest_of(config, [images.base])
    images.push_documents(document, config, [images.base])
    if what == "index":
        entry = {**descriptor(MANIFEST_TYPE, encoded(document)), "platform": OURS}
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}
    name = images.tag(document, compressed=True)
    assert await output(pod, name, "ls", "/bin/busybox") == "/bin/busybox\n"


FOREIGN_TYPES = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
]


@pytest.mark.deviates("containerd", "asks the vendor first, and nobody else when that fails")
@pytest.mark.parametrize("layer_type", FOREIGN_TYPES)
async def test_foreign_layers_that_the_registry_holds(layer_type: str, pod: CasePod, images: ImageRegistry) -> None:
    layers = [images.base, layer(file("foreign", "here"))]
    config = config_of(layers)
    manifest = manifest_of(config, layers)
    manifest["layers"][1] |= {"mediaType": layer_type, "urls": ["http://127.0.0.1:1/layer"]}
    name = images.push_documents(manifest, config, layers)
    assert await output(pod, name, "cat", "/foreign") == "here"
