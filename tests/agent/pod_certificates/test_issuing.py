"""Certificates of pods at an API server, on virtual time. The signer is the test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from podwright.agent.metrics.prometheus import exposition
from podwright.agent.node.current import CurrentNode
from podwright.agent.pod_certificates.issuing import PodCertificates
from podwright.agent.pod_certificates.keys import KeyAndProof
from podwright.agent.pod_certificates.requests import VERSIONS, new_request
from podwright.errors import FailedPrecondition, PodwrightError, Unavailable
from podwright.k8s.codec import to_document
from podwright.k8s.objects import (
    Condition,
    Node,
    ObjectMeta,
    Pod,
    PodCertificateProjection,
    PodCertificateRequest,
    PodCertificateRequestStatus,
    ServiceAccount,
)
from tests.agent.fakes.direct import DirectApi, settle
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.harness.apiserver.documents import read_filter
from tests.harness.apiserver.server import ApiServer

WANTED = PodCertificateProjection(
    key_type="ED25519",
    signer_name="example.com/signer",
    credential_bundle_path="bundle",
    max_expiration_seconds=7200,
    user_annotations={"example.com/role": "web"},
)
WEB = pod("web", service_account_name="builder")
CHAIN = ssl.DER_cert_to_PEM_cert(b"certificate")


class NumberedKeys:
    """A `KeyMaker` whose keys are numbers."""

    def __init__(self) -> None:
        self.count = 0

    async def make(self, key_type: str) -> KeyAndProof:
        self.count += 1
        return KeyAndProof(key=f"{key_type} {self.count}\n", request=b"proof")


class World:
    """A server with a service account, and the certificates of a node's pods."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.api = DirectApi(self.server)
        self.clock = VirtualClock()
        self.events = RecordedEvents()
        self.keys = NumberedKeys()
        self.changed: list[str] = []
        account = self.server.put(ServiceAccount(metadata=ObjectMeta(name="builder", namespace="default")))
        self.account_uid = account.metadata.uid
        node = CurrentNode(Node(metadata=ObjectMeta(name="node-a")))
        node.take(Node(metadata=ObjectMeta(name="node-a", uid="machine")))
        self.certificates = PodCertificates(self.api, node, self.clock, chance=lambda: 0.5)
        self.certificates.listen(self.changed.append)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.certificates.run(self.keys, self.events))
        await settle()
        yield
        task.cancel()
        await asyncio.wait([task])

    def ask(self, asking: Pod = WEB) -> tuple[bytes, bytes]:
        return self.certificates.certificate(asking, "identity", 0, WANTED)

    async def begin(self) -> PodCertificateRequest:
        """The first request."""
        with pytest.raises(Unavailable, match="not issued yet"):
            self.ask()
        await settle()
        (request,) = self.requests()
        return request

    def requests(self) -> list[PodCertificateRequest]:
        resource = f"{PodCertificateRequest.API_VERSION}/{PodCertificateRequest.RESOURCE}"
        names = [each["metadata"]["name"] for each in self.server.store.list(resource, read_filter("", "", ""))]
        return [self.server.get(PodCertificateRequest, name, "default") for name in names]

    async def answer(self, request: PodCertificateRequest, word: str) -> None:
        now = datetime.fromtimestamp(self.clock.now_ns() / 1e9, UTC)
        condition = Condition(type=word, status="True", reason="R", message="M", last_transition_time=now)
        status = PodCertificateRequestStatus(
            conditions=(condition,),
            certificate_chain=CHAIN,
            begin_refresh_at=now + timedelta(minutes=60),
            not_after=now + timedelta(minutes=120),
        )
        self.server.put(replace(request, status=status))
        await settle()

    def metric(self) -> dict[str, str]:
        text = exposition(self.certificates.families()).decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return dict(line.rsplit(" ", 1) for line in lines)


def test_a_request_says_whose_it_is() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            request = await world.begin()
        spec, (owner,) = request.spec, request.metadata.owner_references
        assert (spec.pod_name, spec.pod_uid, spec.signer_name) == ("web", "uid-web", "example.com/signer")
        assert (spec.service_account_name, spec.service_account_uid) == ("builder", world.account_uid)
        assert (spec.node_name, spec.node_uid, spec.stub_pkcs10_request) == ("node-a", "machine", b"proof")
        assert (spec.max_expiration_seconds, spec.unverified_user_annotations) == (7200, {"example.com/role": "web"})
        assert (owner.kind, owner.name, owner.uid) == ("Pod", "web", "uid-web")

    run_virtual(scenario())


def test_a_certificate_is_given_and_renewed() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            request = await world.begin()
            await world.answer(request, "Issued")
            assert world.changed == ["uid-web"]
            assert world.ask() == (b"ED25519 1\n", CHAIN.encode())
            await asyncio.sleep(62 * 60)  # the refresh is due at 60 minutes, and 2.5 of jitter later
            assert len(world.requests()) == 1
            await asyncio.sleep(3 * 60)
            assert world.ask() == (b"ED25519 1\n", CHAIN.encode())
            (other,) = [each for each in world.requests() if each.metadata.name != request.metadata.name]
            await world.answer(other, "Issued")
            assert world.ask() == (b"ED25519 2\n", CHAIN.encode())
            assert world.changed == ["uid-web", "uid-web"]
            assert world.events.seen == []

    run_virtual(scenario())


def test_a_signer_that_has_gone_is_told_of() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            await world.answer(await world.begin(), "Issued")
            await asyncio.sleep(80 * 60)
            assert world.events.reasons("web") == ["CertificateOverdueForRefresh"]
            await asyncio.sleep(60 * 60)
            assert world.events.reasons("web") == ["CertificateOverdueForRefresh", "CertificateExpired"]
            assert world.metric() == {
                'kubelet_podcertificate_states{signer_name="example.com/signer",state="expired"}': "1"
            }
            assert len(world.requests()) == 2

    run_virtual(scenario())


def test_a_refusal_is_an_event_and_final() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            await world.answer(await world.begin(), "Denied")
            with pytest.raises(FailedPrecondition, match="permanently denied"):
                world.ask()
            assert world.events.reasons("web") == ["Denied"]
            assert world.changed == ["uid-web"]
            await asyncio.sleep(3600)
            assert len(world.requests()) == 1

    run_virtual(scenario())


def test_a_request_that_somebody_deletes_is_made_again() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            request = await world.begin()
            world.server.remove(PodCertificateRequest, request.metadata.name, "default")
            await asyncio.sleep(11 * 60)
            assert world.requests() == []
            await asyncio.sleep(4 * 60)
            await world.answer(world.requests()[0], "Issued")
            assert world.ask() == (b"ED25519 2\n", CHAIN.encode())

    run_virtual(scenario())


def test_what_fails_is_tried_again_and_said() -> None:
    async def scenario() -> None:
        world = World()
        world.server.remove(ServiceAccount, "builder", "default")
        async with world.running():
            with pytest.raises(Unavailable):
                world.ask()
            await settle()
            with pytest.raises(PodwrightError, match="builder"):
                world.ask()
            world.api.requests.clear()
            await asyncio.sleep(120)
            assert 5 <= world.api.requests.count("get serviceaccounts builder") <= 12
            world.server.put(ServiceAccount(metadata=ObjectMeta(name="builder", namespace="default")))
            await asyncio.sleep(61)
            await world.answer(world.requests()[0], "Issued")
            assert world.ask() == (b"ED25519 1\n", CHAIN.encode())

    run_virtual(scenario())


def test_pods_that_have_gone_are_forgotten() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            await world.answer(await world.begin(), "Issued")
            world.certificates.retain({"uid-web"})
            assert len(world.metric()) == 1
            world.certificates.retain({"other"})
            assert world.metric() == {}
            await asyncio.sleep(2 * 3600)
            assert len(world.requests()) == 1

    run_virtual(scenario())


def test_two_sources_of_a_volume_have_a_certificate_each() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            for index in (0, 1):
                with pytest.raises(Unavailable):
                    world.certificates.certificate(WEB, "identity", index, WANTED)
            await settle()
            assert len(world.requests()) == 2

    run_virtual(scenario())


def test_nothing_is_watched_before_a_pod_needs_it() -> None:
    async def scenario() -> None:
        world = World()
        async with world.running():
            await asyncio.sleep(600)
            assert world.api.requests == []

    run_virtual(scenario())


def test_without_its_gate_it_says_so() -> None:
    with pytest.raises(FailedPrecondition, match="turned off"):
        World().ask()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_the_same_kind(version: type[PodCertificateRequest]) -> None:
    request = new_request(version, WEB, WANTED, ServiceAccount(), Node(), b"proof")
    document = to_document(request)
    assert (document["kind"], document["apiVersion"]) == ("PodCertificateRequest", version.API_VERSION)
    assert version.RESOURCE == PodCertificateRequest.RESOURCE


def test_a_server_that_has_them_as_beta_gets_those() -> None:
    assert [each.API_VERSION for each in VERSIONS] == ["certificates.k8s.io/v1", "certificates.k8s.io/v1beta1"]
