from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.orchestration.credentials import image_repository, matching, parse_docker_config


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        ("busybox", "docker.io", "library/busybox"),
        ("busybox:1.36", "docker.io", "library/busybox"),
        ("me/app:1", "docker.io", "me/app"),
        ("quay.io/a/b@sha256:1", "quay.io", "a/b"),
        ("localhost:5000/a:1", "localhost:5000", "a"),
        ("localhost/a", "localhost", "a"),
    ],
)
def test_what_an_image_name_means(image: str, host: str, repository: str) -> None:
    assert image_repository(image) == (host, repository)


def config(**servers: str) -> bytes:
    auth = {server: {"auth": base64.b64encode(pair.encode()).decode()} for server, pair in servers.items()}
    return json.dumps({"auths": auth}).encode()


@pytest.mark.parametrize(
    ("server", "image", "fits"),
    [
        ("https://index.docker.io/v1/", "busybox", True),
        ("quay.io", "quay.io/a/b", True),
        ("quay.io", "docker.io/a/b", False),
        ("quay.io/a", "quay.io/a/b:1", True),
        ("quay.io/a", "quay.io/ab/b:1", False),
        ("*.example.org", "x.example.org/a", True),
        ("*.example.org", "x.y.example.org/a", False),
        ("localhost:5000", "localhost:5000/a", True),
    ],
)
def test_which_entry_is_meant(server: str, image: str, fits: bool) -> None:
    credentials = parse_docker_config(config(**{server: "me:pass:word"}))
    assert bool(matching(credentials, image)) == fits
    assert credentials[0].password == "pass:word"


def test_the_longest_path_comes_first() -> None:
    credentials = parse_docker_config(config(**{"q.io": "a:1", "q.io/x/y": "b:1", "q.io/x": "c:1"}))
    assert [item.username for item in matching(credentials, "q.io/x/y")] == ["b", "c", "a"]


def test_the_old_format_and_secrets_in_repr() -> None:
    (found,) = parse_docker_config(b'{"q.io": {"username": "me", "password": "hush"}}')
    assert (found.username, found.password) == ("me", "hush")
    assert "hush" not in repr(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_or_nothing(data: bytes) -> None:
    assert isinstance(parse_docker_config(data), list)


@pytest.mark.parametrize("text", ['{"auths": 3}', '{"auths": {"a": {"auth": "%"}}}', "[]", '{"auths": {"a": 1}}'])
def test_broken_entries_are_left_out(text: str) -> None:
    assert parse_docker_config(text.encode()) == []
