"""How an agent comes to the API server: its first certificate, those that follow, and the one that it shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podwright.agent.api_access import connect, keep_serving_certificate, serving_subject
from podwright.agent.clock import SystemClock
from podwright.agent.cluster.api_cluster import ApiServers
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.node.current import CurrentNode
from podwright.agent.server.auth.certificates import ServerContexts
from podwright.agent.server.serving_certificate import tls_files
from podwright.errors import FailedPrecondition, PermissionDenied
from podwright.k8s.client.certificates.files import CertificateFiles
from podwright.k8s.client.certificates.keys import Subject
from podwright.k8s.client.certificates.x509 import hosts_of
from podwright.k8s.client.protocol import RawRequest
from podwright.k8s.objects import CertificateSigningRequest, Node, NodeAddress, NodeStatus, ObjectMeta
from podwright.process import PosixProcessRunner
from podwright.tasks import Tasks
from tests.harness.apiserver.people import User
from tests.harness.apiserver.server import ApiServer, running
from tests.harness.apiserver.subresources import Approval
from tests.k8s.client.connected import until

RUNNER = PosixProcessRunner()
JOINER = User(name="system:bootstrap:abcdef", groups=("system:bootstrappers",))
NODE = Node(
    metadata=ObjectMeta(name="n1"),
    status=NodeStatus(
        addresses=(NodeAddress(type="InternalIP", address="127.0.0.1"), NodeAddress(type="Hostname", address="n1"))
    ),
)


def configured(server: ApiServer, folder: Path, **security: Any) -> AgentConfig:
    """As `kubeadm join` leaves a node: a bootstrap kubeconfig, and no other one yet."""
    data = base64.b64encode(server.authority.certificate).decode()
    (folder / "bootstrap").write_text(
        f"clusters: [{{name: c, cluster: {{server: '{server.url}', certificate-authority-data: {data}}}}}]\n"
        f"users: [{{name: u, user: {{token: {server.tokens.issue(JOINER)}}}}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"
    )
    config = AgentConfig()
    return msgspec.structs.replace(
        config,
        api=msgspec.structs.replace(
            config.api, kubeconfig=str(folder / "kubelet.conf"), bootstrap_kubeconfig=str(folder / "bootstrap")
        ),
        security=msgspec.structs.replace(config.security, cert_dir=str(folder / "pki"), **security),
    )


@contextlib.asynccontextmanager
async def connected(config: AgentConfig) -> AsyncIterator[ApiServers]:
    async with contextlib.AsyncExitStack() as stack:
        servers = await connect(config, RUNNER, stack, "n1", SystemClock())
        assert servers is not None
        yield servers


async def who(servers: ApiServers) -> str:
    return str(await servers.pods.raw(RawRequest(path="/whoami")), "utf-8")


async def test_an_agent_without_a_kubeconfig_stands_alone() -> None:
    async with contextlib.AsyncExitStack() as stack:
        assert await connect(AgentConfig(), RUNNER, stack, "n1", SystemClock()) is None


async def test_a_node_joins_with_a_token_and_stays_by_itself(tmp_path: Path) -> None:
    async with running() as server:
        config = configured(server, tmp_path)
        async with connected(config) as servers:
            assert await who(servers) == "system:node:n1 system:nodes"
        (tmp_path / "bootstrap").unlink()  # kubeadm removes it
        async with connected(config) as servers:
            assert await who(servers) == "system:node:n1 system:nodes"
        assert len(server.subresources.signed) == 1


async def test_a_server_that_does_not_answer_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("podwright.agent.api_access.BOOTSTRAP_PAUSE_S", 0.05)
    async with running() as server:
        config = configured(server, tmp_path)
        await server.stop()
        async with contextlib.AsyncExitStack() as stack:
            connecting = asyncio.create_task(connect(config, RUNNER, stack, "n1", SystemClock()))
            await until(lambda: "the node has no certificate yet" in caplog.text)
            await server.start()
            servers = await connecting
            assert servers is not None
            assert await who(servers) == "system:node:n1 system:nodes"


async def test_a_request_that_is_denied_ends_the_start(tmp_path: Path) -> None:
    async with running() as server:
        server.subresources.approval = Approval.DENY
        with pytest.raises(PermissionDenied):
            async with connected(configured(server, tmp_path)):
                pass


async def test_a_rotated_certificate_is_used_from_then_on(tmp_path: Path) -> None:
    """The first one is dated back so far that its successor is due."""
    async with running() as server:
        server.subresources.certificate_s, server.subresources.certificate_began_s_ago = 60.0, 6000.0
        config = configured(server, tmp_path, rotate_client_certificate=True)
        files = CertificateFiles(config.security.cert_dir, "kubelet-client")
        async with connected(config) as servers:
            first = files.current()
            server.subresources.certificate_s = 86400.0
            assert await who(servers) == "system:node:n1 system:nodes"
            await until(lambda: files.current() != first)
            assert await who(servers) == "system:node:n1 system:nodes"
            signed = [server.get(CertificateSigningRequest, name) for name in server.subresources.signed]
            assert [each.spec.username for each in signed] == [JOINER.name, "system:node:n1"]


async def test_an_expired_certificate_is_replaced_by_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was away for longer than the certificate has lasted."""
    monkeypatch.setattr("podwright.agent.api_access.EXPIRY_CHECK_S", 2.0)
    monkeypatch.setattr("podwright.k8s.client.kubeconfig.user.LOOK_EVERY_S", 0.0)  # the new file counts at once
    async with running() as server:
        server.subresources.certificate_s = 1.0
        config = configured(server, tmp_path, rotate_client_certificate=True)
        files = CertificateFiles(config.security.cert_dir, "kubelet-client")
        async with connected(config) as servers:
            server.subresources.approval = Approval.WAIT  # its own request for another one is not answered
            await asyncio.sleep(1.1)
            server.subresources.approval, server.subresources.certificate_s = Approval.APPROVE, 86400.0
            await until(lambda: (now := files.current()) is not None and now[1].end > server.now().timestamp() + 60)
            assert await who(servers) == "system:node:n1 system:nodes"


async def test_the_server_s_certificate_comes_from_the_cluster(tmp_path: Path) -> None:
    async with running() as server:
        config = configured(server, tmp_path, server_tls_bootstrap=True)
        files = tls_files(config, "n1", ("127.0.0.1",), has_api=True)
        contexts = ServerContexts(files, config.security)
        with pytest.raises(FailedPrecondition, match="no serving certificate yet"):
            contexts.current()
        async with connected(config) as servers:
            node, tasks = CurrentNode(NODE), Tasks()
            keep_serving_certificate(config, servers.heartbeats, node, RUNNER, tasks)
            try:
                await asyncio.sleep(0.2)
                assert CertificateFiles(config.security.cert_dir, "kubelet-server").current() is None
                node.take(NODE)  # registered: the approver can see its addresses
                served = CertificateFiles(config.security.cert_dir, "kubelet-server")
                await until(lambda: served.current() is not None)
                address = NodeAddress(type="InternalIP", address="127.0.0.2")
                node.take(msgspec.structs.replace(NODE, status=NodeStatus(addresses=(address,))))
                await until(
                    lambda: (now := served.current()) is not None and hosts_of(now[0].certificate) == {"127.0.0.2"}
                )
            finally:
                await tasks.close()
        assert isinstance(contexts.current(), ssl.SSLContext)
        request = server.get(CertificateSigningRequest, server.subresources.signed[-1])
        assert request.spec.signer_name == "kubernetes.io/kubelet-serving"


@pytest.mark.parametrize("is_given", [True, False], ids=["files of the configuration", "no API server"])
def test_a_certificate_that_is_given_comes_first(tmp_path: Path, is_given: bool) -> None:
    config = AgentConfig()
    paths: dict[str, Any] = {"tls_cert_file": "/c", "tls_key_file": "/k"} if is_given else {}
    security = msgspec.structs.replace(
        config.security, server_tls_bootstrap=True, cert_dir=str(tmp_path / "pki"), **paths
    )
    found = tls_files(msgspec.structs.replace(config, security=security), "n1", ("127.0.0.1",), has_api=is_given)
    assert not found.is_awaited
    assert found.certificate == ("/c" if is_given else str(tmp_path / "pki/kubelet.crt"))


def test_the_names_of_a_serving_certificate() -> None:
    addresses = (
        NodeAddress(type="InternalIP", address="10.0.0.2"),
        NodeAddress(type="InternalIP", address="fd00::2"),
        NodeAddress(type="Hostname", address="n1"),
        NodeAddress(type="ExternalDNS", address="n1.example"),
        NodeAddress(type="ExternalDNS", address=""),
    )
    node = Node(metadata=ObjectMeta(name="n1"), status=NodeStatus(addresses=addresses))
    assert serving_subject(node) == Subject(
        common_name="system:node:n1",
        organizations=("system:nodes",),
        dns_names=("n1", "n1.example"),
        ip_addresses=("10.0.0.2", "fd00::2"),
    )
    assert serving_subject(Node(metadata=ObjectMeta(name="n1"))) is None
