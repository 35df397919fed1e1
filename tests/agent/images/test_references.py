"""Image names: what is pulled, which repository they mean, and which are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.images.references import parse_image
from podwright.errors import InvalidArgument

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "pulled", "repository"),
    [
        ("busybox", "busybox:latest", "docker.io/library/busybox"),
        ("busybox:1.36", "busybox:1.36", "docker.io/library/busybox"),
        ("user/app", "user/app:latest", "docker.io/user/app"),
        (f"busybox@{DIGEST}", f"busybox@{DIGEST}", "docker.io/library/busybox"),
        (f"busybox:1@{DIGEST}", f"busybox:1@{DIGEST}", "docker.io/library/busybox"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app"),
        ("registry.k8s.io/a/b:v1", "registry.k8s.io/a/b:v1", "registry.k8s.io/a/b"),
        ("[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app"),
    ],
)
def test_names(image: str, pulled: str, repository: str) -> None:
    name = parse_image(image)
    assert (name.pulled, name.repository) == (pulled, repository)


@pytest.mark.parametrize(
    "image",
    [
        "",
        "Busybox",
        "app:",
        "app@",
        "app@sha256:12",
        "a b",
        "/app",
        "app/",
        "http://a/b",
        "0" * 64,
        "a" * 256,
        "app:-",
    ],
)
def test_what_is_no_name(image: str) -> None:
    with pytest.raises(InvalidArgument, match="couldn't parse image name"):
        parse_image(image)


@given(st.text("aA0.-_/:@[] ", max_size=40))
def test_what_is_pulled_means_the_same_image(image: str) -> None:
    try:
        name = parse_image(image)
    except InvalidArgument:
        return
    again = parse_image(name.pulled)
    assert (again.name, again.pulled, again.repository) == (name.name, name.pulled, name.repository)
    assert name.pulled.startswith(image)
