"""The child that makes a key and a certificate request: JSON on stdin to JSON on stdout.

A program of its own, since the library costs 10 MiB for as long as a process lives, and certificates are asked for
once in months. It imports nothing of Podwright. Input: common_name, organizations, dns_names, ip_addresses, key (PEM
to use again, or empty). Output: key, request (PEM).
"""

from __future__ import annotations

import ipaddress
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def main() -> None:
    """Answer one request."""
    asked = json.load(sys.stdin)
    key = _key(asked["key"])
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in asked["organizations"]]
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, asked["common_name"]))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    hosts: list[x509.GeneralName] = [x509.DNSName(each) for each in asked["dns_names"]]
    hosts += [x509.IPAddress(ipaddress.ip_address(each)) for each in asked["ip_addresses"]]
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    request = builder.sign(key, hashes.SHA256())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    answer = {"key": text.decode(), "request": request.public_bytes(serialization.Encoding.PEM).decode()}
    json.dump(answer, sys.stdout)


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    """P-256, as a kubelet's."""
    if not pem:
        return ec.generate_private_key(ec.SECP256R1())
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SystemExit("the key to use again is not one of an elliptic curve")
    return key


if __name__ == "__main__":
    main()
