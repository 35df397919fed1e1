"""Identities of clients: a certificate authority, certificates, tokens, users."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ADMINS = "system:masters"
_USAGES = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A name and groups."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


@dataclass(slots=True, kw_only=True)
class Tokens:
    """Bearer tokens by text; those of service accounts carry audiences and an end."""

    users: dict[str, User] = field(default_factory=dict)
    audiences: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def issue(self, user: User, audiences: Iterable[str] = ()) -> str:
        """A new one."""
        token = secrets.token_urlsafe(24)
        self.users[token] = user
        self.audiences[token] = tuple(audiences)
        return token

    def revoke(self, token: str) -> None:
        """It is unknown from now on."""
        self.users.pop(token, None)


class Authority:
    """A certificate authority in memory."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "podwright-tests")])
        self._certificate = self._sign(
            self._name, self._key.public_key(), [x509.BasicConstraints(ca=True, path_length=0)], _span(3650 * 86400)
        )

    @property
    def certificate(self) -> bytes:
        """PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, user: User, *, seconds: float = 86400, hosts: Iterable[str] = (), began_s_ago: float = 60
    ) -> Issued:
        """A certificate for a user, or for a server at `hosts`."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in user.groups]
        subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, user.name)])
        hosts = list(hosts)
        usage = "server auth" if hosts else "client auth"
        extensions: list[x509.ExtensionType] = [x509.ExtendedKeyUsage([_USAGES[usage]])]
        if hosts:
            extensions.append(x509.SubjectAlternativeName([_host(each) for each in hosts]))
        span = _span(seconds, began_s_ago)
        certificate = self._sign(subject, key.public_key(), extensions, span)
        return Issued(certificate=certificate.public_bytes(serialization.Encoding.PEM), key=_pem(key))

    def sign(self, request: bytes, usages: Iterable[str], *, seconds: float, began_s_ago: float = 300) -> bytes:
        """The certificate for a request (PEM)."""
        asked = x509.load_pem_x509_csr(request)
        extended = [_USAGES[each] for each in usages if each in _USAGES]
        extensions: list[x509.ExtensionType] = [x509.ExtendedKeyUsage(extended)]
        names = [each.value for each in asked.extensions if isinstance(each.value, x509.SubjectAlternativeName)]
        extensions.extend(names)
        span = _span(seconds, began_s_ago)
        certificate = self._sign(asked.subject, asked.public_key(), extensions, span)  # type: ignore[arg-type]
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extensions: list[x509.ExtensionType],
        span: tuple[dt.datetime, dt.datetime],
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(span[0]).not_valid_after(span[1])
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())


def user_of(certificate: bytes) -> User:
    """The user that a client certificate (DER) names."""
    subject = x509.load_der_x509_certificate(certificate).subject
    names = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = tuple(str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return User(name=names[0] if names else "", groups=groups)


def _span(seconds: float, began_s_ago: float = 60) -> tuple[dt.datetime, dt.datetime]:
    now = dt.datetime.now(dt.UTC)
    return now - dt.timedelta(seconds=began_s_ago), now + dt.timedelta(seconds=seconds)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encryption = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
