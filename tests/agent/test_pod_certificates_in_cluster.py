"""Certificates of pods with `podwright agent` as a process. The signer is the test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from podwright.k8s.objects import (
    Condition,
    ObjectMeta,
    PodCertificateRequest,
    PodCertificateRequestStatus,
    ServiceAccount,
)
from tests.agent.api_pods import FOREVER, NODE, bind, delete_all, events, is_ready
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.documents import read_filter
from tests.harness.apiserver.server import ApiServer
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer


@pytest.fixture
def agent(any_server: CriServer, scratch: Scratch, api: ApiServerThread, tmp_path: Path) -> Iterator[AgentProcess]:
    api.put(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
    flags = [
        f"--kubeconfig={api.kubeconfig(str(tmp_path))}",
        f"--hostname-override={NODE}",
        "--feature-gates=PodCertificateRequest=true",
    ]
    with AgentProcess(scratch.part("agent"), any_server.endpoint, flags=flags) as process:
        yield process
        delete_all(process, api)


def spec(image: str) -> str:
    return f"""
containers:
- name: main
  image: {image}
  command: [sh, -c, '{FOREVER}']
  volumeMounts: [{{name: identity, mountPath: /identity}}]
volumes:
- name: identity
  projected:
    sources:
    - podCertificate:
        signerName: example.com/signer
        keyType: ECDSAP256
        credentialBundlePath: bundle
        keyPath: key
        certificateChainPath: chain
"""


def request(api: ApiServerThread) -> PodCertificateRequest | None:
    """The one that there is."""
    resource = f"{PodCertificateRequest.API_VERSION}/{PodCertificateRequest.RESOURCE}"

    def find(server: ApiServer) -> list[str]:
        return [each["metadata"]["name"] for each in server.store.list(resource, read_filter("", "", ""))]

    names = api.call(find)
    found: PodCertificateRequest | None = api.get(PodCertificateRequest, names[0], "default") if names else None
    return found


def answer(api: ApiServerThread, word: str, chain: str = "") -> None:
    asked, now = request(api), datetime.now(UTC)
    assert asked is not None
    condition = Condition(type=word, status="True", reason="Because", message="of it", last_transition_time=now)
    status = PodCertificateRequestStatus(
        conditions=(condition,),
        certificate_chain=chain,
        begin_refresh_at=now + timedelta(hours=1),
        not_after=now + timedelta(hours=2),
    )
    api.put(replace(asked, status=status))


def signed(api: ApiServerThread) -> str:
    asked = request(api)
    assert asked is not None
    proof = x509.load_der_x509_csr(asked.spec.stub_pkcs10_request)
    pem = proof.public_bytes(serialization.Encoding.PEM)
    return api.call(lambda server: server.authority.sign(pem, ["client auth"], seconds=7200)).decode()


def test_a_pod_gets_its_certificate(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    bind(api, "web", spec(image))
    agent.until(lambda: request(api) is not None, "the certificate is requested")
    asked = request(api)
    assert asked is not None
    assert (asked.spec.signer_name, asked.spec.pod_name, asked.spec.node_name) == ("example.com/signer", "web", NODE)
    chain = signed(api)
    answer(api, "Issued", chain)
    agent.until(lambda: is_ready(api, "web"), "the pod is ready")
    (directory,) = (agent.root / "pods").glob("*/volumes/*projected/identity")
    key = (directory / "key").read_text()
    assert (directory / "chain").read_text() == chain
    assert (directory / "bundle").read_text() == key + chain
    private = serialization.load_pem_private_key(key.encode(), None)
    public = x509.load_pem_x509_certificate(chain.encode()).public_key()
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert private.public_key().public_bytes(*form) == public.public_bytes(*form)


def test_a_refusal_is_seen_at_the_pod(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    bind(api, "web", spec(image))
    agent.until(lambda: request(api) is not None, "the certificate is requested")
    answer(api, "Denied")
    agent.until(lambda: {"Denied", "FailedMount"} <= set(events(api, "web")), "the pod's events say why it waits")
