from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.logins.docker_config import LoginFile, image_repository, matching, parse


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


def parsed(data: bytes) -> LoginFile:
    file = parse(data)
    assert file is not None
    return file


@pytest.mark.parametrize(
    ("server", "image", "fits"),
    [
        ("https://index.docker.io/v1/", "busybox", True),
        ("docker.io", "registry-1.docker.io/library/busybox", True),
        ("quay.io", "quay.io/a/b", True),
        ("quay.io", "docker.io/a/b", False),
        ("quay.io/a", "quay.io/a/b:1", True),
        ("quay.io/a", "quay.io/ab/b:1", False),
        ("*.example.org", "x.example.org/a", True),
        ("*.example.org", "x.y.example.org/a", False),
        ("localhost:5000", "localhost:5000/a", True),
        ("https://q.io/v2/", "q.io/a", True),
    ],
)
def test_which_entry_is_meant(server: str, image: str, fits: bool) -> None:
    file = parsed(config(**{server: "me:pass:word"}))
    assert bool(matching(file.credentials, *image_repository(image))) == fits
    assert file.credentials[0].password == "pass:word"


def test_the_longest_path_comes_first() -> None:
    file = parsed(config(**{"q.io": "a:1", "q.io/x/y": "b:1", "q.io/x": "c:1"}))
    assert [item.username for item in matching(file.credentials, "q.io", "x/y")] == ["b", "c", "a"]


def test_the_old_format_and_secrets_in_repr() -> None:
    (found,) = parsed(b'{"q.io": {"username": "me", "password": "hush"}}').credentials
    assert (found.username, found.password) == ("me", "hush")
    assert "hush" not in repr(found)


def test_helpers() -> None:
    document = {
        "auths": {"q.io": {}},
        "credsStore": "store",
        "credHelpers": {"https://index.docker.io/v1/": "hub", "a.io": "a", "bad.io": "../../bin/sh", "b.io": 3},
    }
    file = parsed(json.dumps(document).encode())
    assert file.credentials == ()
    asked = {host: file.helper_for(host) for host in ("docker.io", "a.io", "b.io", "bad.io", "other.io")}
    assert asked == {"docker.io": "hub", "a.io": "a", "b.io": "store", "bad.io": "store", "other.io": "store"}
    assert parsed(b'{"auths": {}, "credsStore": "a/b"}').helper_for("x") == ""
    assert parsed(b'{"credHelpers": {"a.io": "a"}}').credentials == ()


@given(
    st.binary(max_size=200)
    | st.text().map(str.encode)
    | st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.text())).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_any_bytes_are_a_config_or_nothing(data: bytes) -> None:
    assert parse(data) is None or isinstance(parsed(data).credentials, tuple)


@pytest.mark.parametrize("text", ['{"auths": 3}', '{"auths": {"a": {"auth": "%"}}}', '{"auths": {"a": 1}}'])
def test_broken_entries_are_left_out(text: str) -> None:
    assert parsed(text.encode()) == LoginFile()


@pytest.mark.parametrize("text", ["[]", "3", "", "{", "[" * 100_000])
def test_what_is_no_file(text: str) -> None:
    assert parse(text.encode()) is None
