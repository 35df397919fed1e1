"""Endpoints as people write them."""

from __future__ import annotations

import pytest

from podwright.cri.endpoint import choose_endpoint, normalise, socket_path
from podwright.errors import InvalidArgument


@pytest.mark.parametrize("text", ["unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock"])
def test_spellings_of_one_socket(text: str) -> None:
    assert normalise(text) == "unix:///run/x.sock"
    assert socket_path(text) == "/run/x.sock"


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:1", "relative.sock", "unix://relative", "/" + "x" * 108, ""])
def test_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        normalise(text)


@pytest.mark.parametrize(
    ("flag", "environ", "chosen"),
    [
        ("/a", {"CONTAINER_RUNTIME_ENDPOINT": "/b"}, "unix:///a"),
        (None, {"CONTAINER_RUNTIME_ENDPOINT": "unix:///b"}, "unix:///b"),
        (None, {}, "unix:///run/podwright/podwright.sock"),
    ],
)
def test_choice(flag: str | None, environ: dict[str, str], chosen: str) -> None:
    assert choose_endpoint(flag, environ) == chosen
