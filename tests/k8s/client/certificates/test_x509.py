"""What is read from certificates, compared with a library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s.client.certificates.schedule import renewal_at
from podwright.k8s.client.certificates.x509 import Validity, hosts_of, validity_of
from tests.harness.apiserver.people import Authority, User

WHOLE = Authority().issue(User(name="a")).certificate
KEY = ec.generate_private_key(ec.SECP256R1())
TIMES = st.datetimes(datetime(1951, 1, 1), datetime(2150, 1, 1)).map(lambda each: each.replace(microsecond=0))
ADDRESSES = st.ip_addresses()
HOSTS = st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9}){0,3}", fullmatch=True)


@given(
    times=st.tuples(TIMES, TIMES).map(sorted),
    names=st.sets(HOSTS),
    addresses=st.sets(ADDRESSES),
    critical=st.booleans(),
)
def test_it_reads_what_the_library_writes(times, names, addresses, critical) -> None:  # type: ignore[no-untyped-def] # hypothesis
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a" * len(names))] if names else [])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(times[0]).not_valid_after(times[1])
    hosts: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
    hosts += [x509.IPAddress(each) for each in addresses]
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=critical)
    pem = builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    begin, end = (each.replace(tzinfo=UTC).timestamp() for each in times)
    assert validity_of(pem) == Validity(begin=begin, end=end)
    assert hosts_of(pem) == {*names, *map(str, addresses)}


@given(data=st.binary(max_size=400))
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    for text in (data, b"-----BEGIN CERTIFICATE-----\n" + data + b"\n-----END CERTIFICATE-----", WHOLE[: len(data)]):
        with pytest.raises(InvalidArgument):
            validity_of(text)


def test_a_certificate_is_renewed_between_seventy_and_ninety_percent_of_its_life() -> None:
    life = Validity(begin=1000, end=2000)
    assert [renewal_at(life, chance) for chance in (0.0, 0.5, 1.0)] == pytest.approx([1700, 1800, 1900])
