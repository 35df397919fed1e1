"""A self-signed certificate for the streaming server, with one new key and a few addresses.

Clients get the URL over the runtime's own socket and check no authority. TLS prevents eavesdropping. The library is
loaded when a certificate is made, because most nodes listen on loopback and need none.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable

DAY = dt.timedelta(days=1)
VALID = 3650 * DAY  # longer than any daemon runs
NAME = "podwright streaming"


def make(addresses: Iterable[str]) -> bytes:
    """A new certificate for these IP addresses, and its private key, both PEM."""
    from cryptography import x509  # noqa: PLC0415 # see the module's docstring
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 # as above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 # as above

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.IPAddress(address) for address in sorted(map(ipaddress.ip_address, set(addresses)), key=str)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)  # clients' clocks may be slow
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private
