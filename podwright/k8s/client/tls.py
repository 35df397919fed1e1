"""TLS settings of a client as an `ssl.SSLContext`."""

from __future__ import annotations

import os
import ssl

from podwright.errors import FailedPrecondition
from podwright.k8s.client.endpoint import Endpoint, KeyPair


def client_context(endpoint: Endpoint, key_pair: KeyPair | None) -> ssl.SSLContext:
    """Raises FailedPrecondition for certificates and keys that cannot be used."""
    try:
        context = ssl.create_default_context(cadata=endpoint.authorities.decode() if endpoint.authorities else None)
    except (ssl.SSLError, ValueError) as failure:
        raise FailedPrecondition(f"{endpoint.url}: the certificate authorities cannot be read: {failure}") from failure
    # Python 3.13 sets it; Go does not ask for it, and the authorities of many clusters lack what it wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if endpoint.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if key_pair is not None:
        _load(context, key_pair, endpoint.url)
    return context


def check_key_pair(key_pair: KeyPair, where: str) -> None:
    """Raises FailedPrecondition for a certificate and a key that cannot be used, or not together."""
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), key_pair, where)


def _load(context: ssl.SSLContext, key_pair: KeyPair, where: str) -> None:
    """`load_cert_chain` takes files only: these are in memory, so that no key is written anywhere."""
    descriptor = os.memfd_create("podwright-client-key", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(key_pair.certificate.rstrip() + b"\n" + key_pair.key.rstrip() + b"\n")
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except (ssl.SSLError, ValueError) as failure:
        raise FailedPrecondition(
            f"{where}: the client certificate or its key cannot be used: {failure}",
            hint="both must be PEM and belong together",
        ) from failure
    finally:
        os.close(descriptor)
