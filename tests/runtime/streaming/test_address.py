"""Addresses, and which of them need TLS."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.config import StreamingSettings
from podwright.runtime.streaming.address import parse, reachable
from podwright.runtime.streaming.tls import server_context


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("127.1.2.3:10010", "127.1.2.3", 10010, True),
        ("[::1]:65535", "::1", 65535, True),
        ("0.0.0.0:0", "0.0.0.0", 0, False),
        ("192.168.7.7:1", "192.168.7.7", 1, False),
        ("[::]:0", "::", 0, False),
    ],
)
def test_addresses(text: str, host: str, port: int, *, is_loopback: bool) -> None:
    address = parse(text)
    assert (address.host, address.port, address.is_loopback, str(address)) == (host, port, is_loopback, text)


@pytest.mark.parametrize(
    "text", ["", ":", "127.0.0.1", "localhost:0", "127.0.0.1:65536", "127.0.0.1:-1", "::1:x", "1:²"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"streaming\.address"):
        parse(text)


def test_a_url_never_names_a_wildcard() -> None:
    for text in ("0.0.0.0:7", "[::]:7"):
        shown = reachable(parse(text))
        assert not ipaddress.ip_address(shown.host).is_unspecified
        assert shown.port == 7
    assert reachable(parse("127.0.0.1:7")) == parse("127.0.0.1:7")


def test_only_loopback_goes_without_tls() -> None:
    assert server_context(StreamingSettings(address="127.0.0.1:0")) is None
    assert isinstance(server_context(StreamingSettings(address="0.0.0.0:0")), ssl.SSLContext)


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="need each other"):
        server_context(StreamingSettings(tls_cert_file="/some/file"))
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for path in (str(nonsense), str(tmp_path / "absent.pem")):
        with pytest.raises(FailedPrecondition, match="cannot use"):
            server_context(StreamingSettings(tls_cert_file=path, tls_key_file=path))
