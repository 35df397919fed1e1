"""The self-made certificate, judged by OpenSSL: its signature and its names."""

from __future__ import annotations

import ssl

import pytest

from podwright.linux.memory_file import memory_file
from podwright.runtime.streaming import certificate


def contexts(addresses: tuple[str, ...]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's with a new certificate, and that of a client which trusts nothing else."""
    made = certificate.make(addresses)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with memory_file(made) as path:
        server.load_cert_chain(path)
    client = ssl.create_default_context(cadata=made.decode().partition("-----BEGIN PRIVATE KEY")[0])
    return server, client


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A whole handshake in memory. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ends[0].version()


@pytest.mark.parametrize("name", ["127.0.0.1", "10.1.2.3", "::1"])
def test_a_client_that_trusts_it_accepts_it_for_its_addresses(name: str) -> None:
    server, client = contexts(("127.0.0.1", "10.1.2.3", "::1", "127.0.0.1"))
    shake_hands(server, client, name)


def test_and_for_no_other_address() -> None:
    server, client = contexts(("127.0.0.1",))
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shake_hands(server, client, "127.0.0.2")


def test_nobody_else_trusts_it() -> None:
    server, _ = contexts(("127.0.0.1",))
    _, stranger = contexts(("127.0.0.1",))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, stranger, "127.0.0.1")
