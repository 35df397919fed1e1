"""Makes the node's own certificate if none is configured: `kubelet.crt` and `kubelet.key`.

The library is loaded only when a certificate is made.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Iterable

from podwright.errors import FailedPrecondition, InvalidArgument, reason
from podwright.k8s.client.certificates.x509 import validity_of
from podwright.linux.files import replace_file

DAY = dt.timedelta(days=1)
VALID = 365 * DAY
CERTIFICATE, KEY = "kubelet.crt", "kubelet.key"
KEY_MODE, CERTIFICATE_MODE = 0o600, 0o644


def ensure(directory: str, name: str, addresses: Iterable[str]) -> tuple[str, str]:
    """The paths of certificate and key in the directory, made if they are absent or not valid any more.

    Raises FailedPrecondition.
    """
    certificate, key = os.path.join(directory, CERTIFICATE), os.path.join(directory, KEY)
    try:
        if not _is_good(certificate, key):
            os.makedirs(directory, mode=0o755, exist_ok=True)
            made, private = _make(name, addresses)
            replace_file(key, private, mode=KEY_MODE)
            replace_file(certificate, made, mode=CERTIFICATE_MODE)
    except OSError as failure:
        raise FailedPrecondition(
            f"a certificate for the server cannot be made in {directory}: {reason(failure, path=directory)}",
            hint="check --cert-dir",
        ) from failure
    return certificate, key


def _is_good(certificate: str, key: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        with open(certificate, "rb") as file:
            return validity_of(file.read()).end > (dt.datetime.now(dt.UTC) + DAY).timestamp()
    except (OSError, ValueError, InvalidArgument):
        return False


def _make(name: str, addresses: Iterable[str]) -> tuple[bytes, bytes]:
    """Certificate and key in PEM."""
    from cryptography import x509  # noqa: PLC0415 # see the module's docstring
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 # as above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 # as above
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 # as above

    now = dt.datetime.now(dt.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name}@{int(now.timestamp())}"[:64])])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    names += [x509.IPAddress(address) for address in sorted(map(ipaddress.ip_address, set(addresses)), key=str)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)  # for clients whose clocks are late
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private
