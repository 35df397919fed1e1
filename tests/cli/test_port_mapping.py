"""What people type for ports."""

from __future__ import annotations

import pytest

from podwright.cli.port_mapping import ForwardedPort, parse_mapping
from podwright.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "address", "local_port", "pod_port"),
    [
        ("8080:80", "127.0.0.1", 8080, 80),
        ("80", "127.0.0.1", 80, 80),
        (":80", "127.0.0.1", 0, 80),
        ("0:80", "127.0.0.1", 0, 80),
        ("0.0.0.0:8080:80", "0.0.0.0", 8080, 80),
        ("localhost:8080:80", "127.0.0.1", 8080, 80),
        ("192.0.2.1::80", "192.0.2.1", 0, 80),
        ("[::1]:8080:80", "::1", 8080, 80),
        ("[::]:80", "::", 80, 80),
    ],
)
def test_forms(text: str, address: str, local_port: int, pod_port: int) -> None:
    assert parse_mapping(text) == ForwardedPort(address=address, local_port=local_port, pod_port=pod_port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "80:", "80:0", "0", "65536", "80:65536", "-1:80", "x", "8080:http", "1:2:3:4", "example.org:1:2"),
        *("::1:8080:80", "[::1]80", "[::1", "٣:80", "80 :80"),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_mapping(text)
