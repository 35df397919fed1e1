"""Images of the Engine as values, the pause image, and what a failed pull means."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from base64 import urlsafe_b64decode

import pytest

from podwright.errors import InvalidArgument, NotFound, PermissionDenied, PodwrightError, RuntimeFailed, Unknown
from podwright.runtime.engines.docker import image_values
from podwright.runtime.engines.docker.pause import pause_image
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import Image, RegistryAuth
from podwright.runtime.registry import reference

ONE = ImageId("sha256:" + "1" * 63 + "a")
TWO = ImageId("sha256:" + "1" * 63 + "b")
IMAGES = [
    Image(id=ONE, repo_tags=("docker.io/library/busybox:1",), size_bytes=1),
    Image(id=TWO, repo_digests=("quay.io/x/y@sha256:" + "2" * 64,), size_bytes=1),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("busybox:1", ONE),
        ("docker.io/library/busybox:1", ONE),
        ("busybox", None),
        (ONE, ONE),
        ("1" * 63 + "b", TWO),
        ("quay.io/x/y@sha256:" + "2" * 64, TWO),
        ("sha256:", None),
        ("0", None),
    ],
)
def test_finding(name: str, found: ImageId | None) -> None:
    image = image_values.find(IMAGES, name)
    assert (image.id if image else None) == found


def test_names_that_find_nothing_or_too_much() -> None:
    with pytest.raises(InvalidArgument, match="prefix of 2"):
        image_values.find(IMAGES, "11")
    with pytest.raises(InvalidArgument, match="empty"):
        image_values.find(IMAGES, "")


def test_names_become_whole() -> None:
    names = ["127.0.0.1:5000/a:1", "busybox:1", "<none>:<none>", "Odd Name"]
    assert image_values.whole_names(names) == ("127.0.0.1:5000/a:1", "Odd Name", "docker.io/library/busybox:1")


@pytest.mark.parametrize(("user", "uid", "name"), [("", None, ""), ("7:8", 7, ""), ("bin:9", None, "bin")])
def test_an_image(user: str, uid: int | None, name: str) -> None:
    image = image_values.image_of({"Id": ONE, "Size": 0, "Config": {"User": user, "Cmd": None, "Env": ["A=b"]}})
    assert (image.uid, image.username, image.size_bytes, image.config.env) == (uid, name, 1, ("A=b",))


def test_credentials_are_a_header() -> None:
    header = image_values.auth_header(RegistryAuth(username="u", password="p"), "docker.io")
    assert json.loads(urlsafe_b64decode(header["X-Registry-Auth"])) == {
        "username": "u",
        "password": "p",
        "serveraddress": "https://index.docker.io/v1/",
    }
    assert image_values.auth_header(RegistryAuth(), "x") == {}
    assert image_values.auth_header(None, "x") == {}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("unauthorized: authentication required", PermissionDenied),
        ("pull access denied for x, repository does not exist or may require 'docker login'", PermissionDenied),
        ("manifest for x:1 not found: manifest unknown: manifest unknown", NotFound),
        ("Get http://x/v2/: dial tcp 127.0.0.1:1: connect: connection refused", Unknown),
        ("Get https://x/v2/: dial tcp: lookup x: no such host", Unknown),
        ("write /var/lib/docker/tmp/x: no space left on device", RuntimeFailed),
    ],
)
def test_failed_pulls(text: str, kind: type[PodwrightError]) -> None:
    failure = image_values.pull_failure("x:1", text)
    assert type(failure) is kind
    assert text in str(failure)
    assert str(failure).startswith("RegistryUnavailable: ") is (kind is Unknown)


def test_what_is_asked_for_a_pull() -> None:
    digest = "sha256:" + "3" * 64
    assert image_values.pull_query(reference.parse("a")) == {"fromImage": "docker.io/library/a", "tag": "latest"}
    assert image_values.pull_query(reference.parse(f"a:1@{digest}"))["tag"] == digest


def test_pinned_names() -> None:
    assert image_values.is_pinned(["docker.io/library/a:1"], ["docker.io/library/*"])
    assert not image_values.is_pinned(["docker.io/library/a:1"], ["quay.io/*"])


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_pause_image_is_whole_and_always_the_same(machine: str) -> None:
    image = pause_image(machine)
    assert image == pause_image(machine)
    with tarfile.open(fileobj=io.BytesIO(image.archive)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    (manifest,) = json.loads(contents["manifest.json"])
    assert manifest["RepoTags"] == [image.name]
    config = contents[manifest["Config"]]
    assert image.name.endswith(hashlib.sha256(config).hexdigest()[:12])
    layer = contents[manifest["Layers"][0]]
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files_of_layer:
        (program,) = files_of_layer.getmembers()
    assert (program.name, program.mode) == ("pause", 0o755)
