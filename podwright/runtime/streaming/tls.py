"""Whether the streaming server uses TLS, and its certificate."""

from __future__ import annotations

import ssl

from podwright.errors import FailedPrecondition, InvalidArgument, reason
from podwright.linux.memory_file import memory_file
from podwright.runtime.config import StreamingSettings
from podwright.runtime.streaming import certificate
from podwright.runtime.streaming.address import parse, reachable


def server_context(settings: StreamingSettings) -> ssl.SSLContext | None:
    """None for plain HTTP, which is limited to loopback addresses. Without files, a certificate is made.

    Raises InvalidArgument and FailedPrecondition.
    """
    address = parse(settings.address)
    if bool(settings.tls_cert_file) != bool(settings.tls_key_file):
        raise InvalidArgument("streaming: tls_cert_file and tls_key_file need each other")
    if not settings.tls_cert_file and address.is_loopback:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = (
        0  # no client resumes sessions, and one that closes before reading the tickets would reset the connection
    )
    if not settings.tls_cert_file:
        made = certificate.make((address.host, reachable(address).host))
        with memory_file(made) as path:
            context.load_cert_chain(path)
        return context
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    except (OSError, ssl.SSLError) as failure:
        why = reason(failure, path=settings.tls_cert_file)
        raise FailedPrecondition(f"streaming: cannot use {settings.tls_cert_file} with its key: {why}") from failure
    return context
