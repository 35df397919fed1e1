"""Certificates that are renewed while a client uses them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podwright.errors import PermissionDenied
from podwright.k8s.client.certificates.files import CertificateFiles
from podwright.k8s.client.certificates.keys import KeyMaker, Subject
from podwright.k8s.client.certificates.rotation import Rotation, WantedCertificate
from podwright.k8s.client.certificates.signing import SERVING
from podwright.k8s.client.certificates.x509 import hosts_of
from podwright.k8s.client.endpoint import KeyPair
from podwright.k8s.client.listwatch import backoff
from podwright.k8s.objects import CertificateSigningRequest
from podwright.process import PosixProcessRunner
from tests.harness.apiserver.server import ApiServer, running
from tests.harness.apiserver.subresources import Approval
from tests.k8s.client.connected import WAIT_S, client_of, until


class Serving:
    """A rotation of a serving certificate, with what a test turns."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.files = CertificateFiles(str(folder), "kubelet-server")
        self.subject: Subject | None = Subject(
            common_name="system:node:n1", organizations=("system:nodes",), ip_addresses=("10.0.0.1",)
        )
        self.clock_ahead_s = 0.0
        self.made: asyncio.Queue[KeyPair] = asyncio.Queue()

    async def next(self) -> KeyPair:
        async with asyncio.timeout(WAIT_S):
            return await self.made.get()


@contextlib.asynccontextmanager
async def rotating(server: ApiServer, folder: Path) -> AsyncIterator[tuple[Serving, Rotation]]:
    made = Serving(server, folder)
    async with client_of(server) as api:
        rotation = Rotation(
            api,
            made.files,
            KeyMaker(PosixProcessRunner()),
            WantedCertificate(purpose=SERVING, subject=lambda: made.subject),
            changed=made.made.put_nowait,
            now=lambda: server.now().timestamp() + made.clock_ahead_s,
            chance=lambda: 0.5,
        )
        task = asyncio.create_task(rotation.run())
        try:
            yield made, rotation
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_the_first_one_and_another_when_its_time_has_come(tmp_path: Path) -> None:
    async with running() as server, rotating(server, tmp_path) as (serving, rotation):
        first = await serving.next()
        assert hosts_of(first.certificate) == {"10.0.0.1"}
        request = server.get(CertificateSigningRequest, server.subresources.signed[0])
        assert (request.spec.signer_name, request.spec.usages) == (
            "kubernetes.io/kubelet-serving",
            ("digital signature", "server auth"),
        )
        serving.clock_ahead_s = 0.6 * 86400
        rotation.look_again()
        await asyncio.sleep(0.1)
        assert serving.made.empty()
        serving.clock_ahead_s = 0.85 * 86400
        rotation.look_again()
        second = await serving.next()
        assert second != first
        current = serving.files.current()
        assert current is not None
        assert current[0] == second


async def test_a_certificate_that_is_good_stays_over_a_restart_unless_the_hosts_are_others(tmp_path: Path) -> None:
    async with running() as server:
        async with rotating(server, tmp_path) as (serving, _):
            await serving.next()
        async with rotating(server, tmp_path) as (serving, rotation):
            await asyncio.sleep(0.1)
            assert serving.made.empty()
            serving.subject = Subject(common_name="system:node:n1", ip_addresses=("10.0.0.2",), dns_names=("n1",))
            rotation.look_again()
            assert hosts_of((await serving.next()).certificate) == {"10.0.0.2", "n1"}


async def test_nothing_is_asked_for_while_there_are_no_addresses(tmp_path: Path) -> None:
    async with running() as server, rotating(server, tmp_path) as (serving, rotation):
        subject, serving.subject = serving.subject, None
        await asyncio.sleep(0.1)
        assert not server.subresources.signed
        serving.subject = subject
        rotation.look_again()
        await serving.next()


async def test_it_asks_again_after_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.05)
    async with running() as server:
        server.subresources.approval = Approval.DENY
        async with rotating(server, tmp_path) as (serving, rotation):
            await until(lambda: rotation.failure is not None)
            assert isinstance(rotation.failure, PermissionDenied)
            server.subresources.approval = Approval.APPROVE
            await serving.next()
