"""What becomes of a pod's certificate: every arrow of the drawing."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from podwright.agent.pod_certificates.states import Certificate, Issued, Waiting, decide
from podwright.errors import FailedPrecondition, Unavailable
from podwright.k8s.objects import (
    Condition,
    ObjectMeta,
    PodCertificateRequest,
    PodCertificateRequestSpec,
    PodCertificateRequestStatus,
)

NOW = 1_700_000_000.0
WAITING = Certificate(waiting=Waiting(name="req-1", key=b"key\n", abandon_at=NOW + 600))
FRESH = Certificate(issued=Issued(key=b"old\n", chain=b"c", refresh_at=NOW + 100, expires_at=NOW + 5000))
RENEWING = replace(FRESH, waiting=WAITING.waiting)
DER = bytes(range(60))


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def answer(word: str = "", chain: str = "") -> PodCertificateRequest:
    """The request with a condition of that type, or none."""
    condition = Condition(type=word, status="True", reason="Because", message="of it", last_transition_time=at(NOW))
    return PodCertificateRequest(
        metadata=ObjectMeta(name="req-1", namespace="default"),
        spec=PodCertificateRequestSpec(
            node_name="n",
            node_uid="n",
            pod_name="p",
            pod_uid="p",
            service_account_name="s",
            service_account_uid="s",
            signer_name="example.com/signer",
            stub_pkcs10_request=b"",
        ),
        status=PodCertificateRequestStatus(
            begin_refresh_at=at(NOW + 1000),
            not_after=at(NOW + 2000),
            certificate_chain=chain,
            conditions=(condition,) if word else (),
        ),
    )


def test_a_new_one_wants_a_request() -> None:
    decision = decide(Certificate(), None, NOW, 0.5)
    assert decision.wants_request
    with pytest.raises(Unavailable, match="not issued yet"):
        decision.certificate.credentials()


@pytest.mark.parametrize("request_seen", [answer(), None], ids=["unanswered", "not seen yet"])
def test_an_answer_is_waited_for(request_seen: PodCertificateRequest | None) -> None:
    decision = decide(WAITING, request_seen, NOW, 0.5)
    assert (decision.certificate, decision.wants_request, decision.warnings) == (WAITING, False, ())


def test_a_request_that_was_deleted_is_made_again() -> None:
    decision = decide(WAITING, None, NOW + 601, 0.5)
    assert decision.wants_request
    assert decision.certificate.waiting is None


def test_an_issued_one_has_its_chain_without_what_is_between() -> None:
    pem = ssl.DER_cert_to_PEM_cert(DER)
    headers = pem.replace("-----\n", "-----\nName: value\n\n", 1)
    broken = "-----BEGIN CERTIFICATE-----\n=\n-----END CERTIFICATE-----\n"
    decision = decide(WAITING, answer("Issued", f"subject: a\n{headers}\nissuer: b\n{broken}{pem}"), NOW, 0.5)
    assert decision.certificate.credentials() == (b"key\n", (pem + pem).encode())
    issued = decision.certificate.issued
    assert issued is not None
    assert (issued.refresh_at, issued.expires_at) == (NOW + 1000 + 150, NOW + 2000)
    assert not decide(decision.certificate, None, NOW + 1149, 0.5).wants_request
    assert decide(decision.certificate, None, NOW + 1151, 0.5).wants_request


@pytest.mark.parametrize("before", [WAITING, RENEWING], ids=["first", "renewal"])
@pytest.mark.parametrize(("word", "verb"), [("Denied", "was denied"), ("Failed", "failed")])
def test_a_refusal_is_final(before: Certificate, word: str, verb: str) -> None:
    decision = decide(before, answer(word), NOW + 200, 0.5)
    assert decision.warnings == (
        (word, f'PodCertificateRequest default/req-1 {verb}, reason="Because", message="of it"'),
    )
    with pytest.raises(FailedPrecondition, match=f"permanently {word.lower()}"):
        decision.certificate.credentials()
    later = decide(decision.certificate, None, NOW + 1e6, 0.5)
    assert (later.wants_request, later.warnings) == (False, ())


def test_a_late_renewal_is_told_once_for_each_reason() -> None:
    told = []
    certificate = RENEWING
    for seconds in (200, 650, 701, 702, 5001, 5002):
        decision = decide(certificate, answer(), NOW + seconds, 0.5)
        certificate = decision.certificate
        told.append([reason for reason, _ in decision.warnings])
        assert certificate.credentials() == (b"old\n", b"c")
    assert told == [[], [], ["CertificateOverdueForRefresh"], [], ["CertificateExpired"], []]


@pytest.mark.parametrize(
    ("certificate", "seconds", "word"),
    [
        (Certificate(), 0, "not_yet_issued"),
        (WAITING, 0, "not_yet_issued"),
        (RENEWING, 100, "fresh"),
        (FRESH, 701, "overdue_for_refresh"),
        (FRESH, 5001, "expired"),
        (decide(WAITING, answer("Denied"), NOW, 0).certificate, 0, "denied"),
        (decide(WAITING, answer("Failed"), NOW, 0).certificate, 0, "failed"),
    ],
)
def test_words_of_the_metric(certificate: Certificate, seconds: float, word: str) -> None:
    assert certificate.word(NOW + seconds) == word
