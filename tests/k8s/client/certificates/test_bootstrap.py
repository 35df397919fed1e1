"""A node's first certificate, as a cluster gives it."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import time
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, PermissionDenied
from podwright.k8s.client import patch
from podwright.k8s.client.certificates.bootstrap import Bootstrap, bootstrapped
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.kubeconfig.connection import load
from podwright.k8s.client.protocol import RawRequest
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import CertificateSigningRequest, Node
from podwright.process import PosixProcessRunner
from tests.harness.apiserver.people import User
from tests.harness.apiserver.server import ApiServer, running
from tests.harness.apiserver.subresources import Approval
from tests.k8s.client.connected import client_of, until

RUNNER = PosixProcessRunner()
JOINER = User(name="system:bootstrap:abcdef", groups=("system:bootstrappers",))


def settings(server: ApiServer, folder: Path) -> Bootstrap:
    data = base64.b64encode(server.authority.certificate).decode()
    (folder / "bootstrap").write_text(
        f"clusters: [{{name: c, cluster: {{server: '{server.url}', certificate-authority-data: {data}}}}}]\n"
        f"users: [{{name: u, user: {{token: {server.tokens.issue(JOINER)}}}}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"
    )
    return Bootstrap(
        kubeconfig=str(folder / "etc/kubelet.conf"),
        bootstrap_kubeconfig=str(folder / "bootstrap"),
        certificates=str(folder / "pki"),
        node_name="n1",
    )


async def user_of(kubeconfig: str) -> str:
    """Whom the server takes us for."""
    connection = load(kubeconfig, RUNNER)
    transport = Transport(connection.endpoint, connection.credentials)
    try:
        api = ApiClient(transport)
        await api.list(Node)
        return str(await api.raw(RawRequest(path="/whoami")), "utf-8")
    finally:
        await transport.close()


async def test_a_node_gets_its_certificate_and_a_kubeconfig(tmp_path: Path) -> None:
    async with running() as server:
        wanted = settings(server, tmp_path)
        assert await bootstrapped(wanted, RUNNER)
        assert await user_of(wanted.kubeconfig) == "system:node:n1 system:nodes"
        request = server.get(CertificateSigningRequest, server.subresources.signed[0])
        assert request.spec.signer_name == "kubernetes.io/kube-apiserver-client-kubelet"
        assert request.spec.usages == ("digital signature", "client auth")
        assert request.spec.username == JOINER.name
        current = tmp_path / "pki/kubelet-client-current.pem"
        assert stat.S_IMODE(current.stat().st_mode) == 0o600
        assert stat.S_IMODE(os.stat(wanted.kubeconfig).st_mode) == 0o600
        assert sorted(os.listdir(tmp_path / "pki")) == sorted({current.name, os.readlink(current)})
        assert not await bootstrapped(wanted, RUNNER)
        assert len(server.subresources.signed) == 1


async def test_an_expired_or_broken_certificate_is_replaced(tmp_path: Path) -> None:
    async with running() as server:
        wanted = settings(server, tmp_path)
        await bootstrapped(wanted, RUNNER)
        assert await bootstrapped(wanted, RUNNER, now=lambda: time.time() + 2 * 86400)
        (tmp_path / "pki/kubelet-client-current.pem").write_text("no")
        assert await bootstrapped(wanted, RUNNER)
        assert await user_of(wanted.kubeconfig) == "system:node:n1 system:nodes"


async def test_a_node_that_was_killed_waits_for_the_same_request(tmp_path: Path) -> None:
    async with running() as server, client_of(server) as admin:
        server.subresources.approval = Approval.WAIT
        wanted = settings(server, tmp_path)
        with pytest.raises(DeadlineExceeded, match="kubectl certificate approve node-csr-"):
            await bootstrapped(wanted, RUNNER, timeout_s=3.0)
        joining = asyncio.create_task(bootstrapped(wanted, RUNNER, timeout_s=patient(60)))
        requests = (await admin.list(CertificateSigningRequest)).items
        assert len(requests) == 1
        approval = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}}
        name = requests[0].metadata.name
        await admin.patch(CertificateSigningRequest, name, patch.merge(approval), subresource="approval")
        assert await joining
        assert server.subresources.signed == [name]


@pytest.mark.parametrize(
    ("approval", "failure"), [(Approval.DENY, PermissionDenied), (Approval.FAIL, FailedPrecondition)]
)
async def test_a_request_that_is_refused(approval: Approval, failure: type[Exception], tmp_path: Path) -> None:
    async with running() as server:
        server.subresources.approval = approval
        with pytest.raises(failure, match="certificate request node-csr-"):
            await bootstrapped(settings(server, tmp_path), RUNNER, timeout_s=patient(60))
        assert not (tmp_path / "etc").exists()


async def test_a_request_that_is_deleted(tmp_path: Path) -> None:
    async with running() as server, client_of(server) as admin:
        server.subresources.approval = Approval.WAIT
        joining = asyncio.create_task(bootstrapped(settings(server, tmp_path), RUNNER, timeout_s=patient(60)))
        await until(lambda: server.handler.watches > 0)
        found = (await admin.list(CertificateSigningRequest)).items
        await admin.delete(CertificateSigningRequest, found[0].metadata.name)
        with pytest.raises(FailedPrecondition, match="it was deleted"):
            await joining


async def test_a_bootstrap_file_that_is_not_there(tmp_path: Path) -> None:
    wanted = Bootstrap(
        kubeconfig=str(tmp_path / "k"),
        bootstrap_kubeconfig=str(tmp_path / "none"),
        certificates=str(tmp_path),
        node_name="n1",
    )
    with pytest.raises((FailedPrecondition, InvalidArgument), match="none cannot be read"):
        await bootstrapped(wanted, RUNNER)
