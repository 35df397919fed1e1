from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.runtime.registry import reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
        ("user/app:v1", "docker.io/user/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("127.0.0.1:5000/a/b__c/d-e.f:T_a.g-1", "127.0.0.1:5000/a/b__c/d-e.f:T_a.g-1"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"),
        ("UPPER/app", "UPPER/app:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"quay.io/a/b:tag@{DIGEST}", f"quay.io/a/b@{DIGEST}"),
    ],
)
def test_names_are_made_whole(written: str, whole: str) -> None:
    assert str(reference.parse(written)) == whole


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Busybox",
        "a//b",
        "/a",
        "a/",
        "a:",
        "a:b:c",
        "a:-tag",
        "a@sha256:12",
        "a@md5:" + "0" * 32,
        "a@",
        "a b",
        "a\nb",
        "../etc",
        "a/../b",
        "a" * 300,
        "ab" * 32,
        "a:" + "t" * 129,
        "localhost:99999/a",
        f"a@{DIGEST}@{DIGEST}",
        "http://host/a",
    ],
)
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(InvalidArgument):
        reference.parse(written)


@given(st.text(max_size=80) | st.from_regex(r"[a-zA-Z0-9._:/@-]{0,80}"))
def test_a_whole_name_means_itself(text: str) -> None:
    try:
        whole = reference.parse(text)
    except InvalidArgument:
        return
    assert reference.parse(str(whole)) == whole
    assert bool(whole.tag) != bool(whole.digest)
    assert ".." not in whole.repository.split("/")
