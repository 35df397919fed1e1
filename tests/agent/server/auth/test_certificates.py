"""The server's TLS: versions, suites, files that change, certificates that it makes itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from podwright.agent.config.node_sections import SecuritySection
from podwright.agent.server.auth import ciphers, self_signed
from podwright.agent.server.auth.certificates import ServerContexts, TlsFiles
from podwright.agent.server.http.listener import HttpListener, Limits
from podwright.agent.server.http.messages import Answer, HttpRequest, text
from podwright.agent.server.http.sockets import listen_tcp
from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition, InvalidArgument
from tests.harness.authority import Authority


async def who(request: HttpRequest) -> Answer:
    subject: Any = (request.certificate or {}).get("subject", ())
    return text(" ".join(value for part in subject for _, value in part))


class Scene:
    """A TLS server whose files can be changed."""

    def __init__(self, directory: Path, security: SecuritySection) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.files = TlsFiles(
            certificate=str(directory / "served.crt"),
            key=str(directory / "served.key"),
            client_ca=str(directory / "clients.crt"),
        )
        self.serve(self.authority)
        self.trust(self.authority)
        self.contexts = ServerContexts(self.files, security)
        self.listener = HttpListener(listen_tcp("127.0.0.1", 0), who, limits=Limits(), tls=self.contexts)
        self.listener.start()

    def serve(self, authority: Authority) -> None:
        issued = authority.issue("node", usage="server")
        shutil.copy(issued.certificate, self.files.certificate)
        shutil.copy(issued.key, self.files.key)

    def trust(self, authority: Authority) -> None:
        temporary = self.directory / "new"
        shutil.copy(authority.path, temporary)
        os.rename(temporary, self.files.client_ca)

    async def ask(self, tls: ssl.SSLContext) -> str:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
            return await self.ask_in(session)

    async def ask_in(self, session: aiohttp.ClientSession) -> str:
        async with session.get(f"https://127.0.0.1:{self.listener.port}/") as answer:
            return await answer.text()


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path, SecuritySection())
    yield made
    await made.listener.close()


async def test_a_client_is_known_by_its_certificate(scene: Scene) -> None:
    alice = scene.authority.client(scene.authority.issue("alice", ["ops", "dev"]))
    assert await scene.ask(alice) == "ops dev alice"
    assert await scene.ask(scene.authority.client()) == ""


async def test_a_server_s_certificate_is_no_client_s(scene: Scene) -> None:
    other = scene.authority.client(scene.authority.issue("node", usage="server"))
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await scene.ask(other)


async def test_a_new_certificate_is_served_without_a_restart(scene: Scene) -> None:
    before = scene.contexts.current()
    renewed = Authority(scene.directory, "renewed")
    scene.serve(renewed)
    assert await scene.ask(renewed.client()) == ""
    assert scene.contexts.current() is not before


async def test_a_new_certificate_leaves_connections_alone(scene: Scene) -> None:
    alice = scene.authority.client(scene.authority.issue("alice"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=alice, limit=1)) as session:
        assert await scene.ask_in(session) == "alice"
        scene.serve(Authority(scene.directory, "renewed"))  # a client that connected anew would not trust it
        assert await scene.ask_in(session) == "alice"


async def test_a_broken_certificate_leaves_the_old_one(scene: Scene) -> None:
    Path(scene.files.certificate).write_text("this is none")
    assert await scene.ask(scene.authority.client()) == ""


async def test_a_changed_authority_ends_what_the_old_one_vouched_for(scene: Scene) -> None:
    alice = scene.authority.client(scene.authority.issue("alice"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=alice)) as session:
        assert await scene.ask_in(session) == "alice"
        scene.trust(Authority(scene.directory, "successor"))
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await scene.ask_in(session)


async def test_the_oldest_version_that_is_spoken(tmp_path: Path) -> None:
    scene = Scene(tmp_path, msgspec.structs.replace(SecuritySection(), tls_min_version="VersionTLS13"))
    try:
        old = scene.authority.client()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await scene.ask(old)
        assert await scene.ask(scene.authority.client()) == ""
    finally:
        await scene.listener.close()


async def test_the_suites_that_are_spoken(tmp_path: Path) -> None:
    suites = ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")
    scene = Scene(tmp_path, msgspec.structs.replace(SecuritySection(), tls_cipher_suites=suites))
    try:
        client = scene.authority.client()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await scene.ask(client)
        client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        assert await scene.ask(client) == ""
    finally:
        await scene.listener.close()


async def test_a_client_that_never_shakes_hands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podwright.agent.server.http.listener.HANDSHAKE_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.listener.port)
    writer.write(b"\x16\x03\x01")
    async with asyncio.timeout(patient(60)):
        assert await reader.read() == b""
    writer.close()


def test_names_that_are_not_known() -> None:
    with pytest.raises(InvalidArgument, match="TLS_NONE"):
        ciphers.cipher_list(["TLS_NONE"])
    with pytest.raises(InvalidArgument, match="VersionTLS14"):
        ciphers.minimum_version("VersionTLS14")


def test_every_suite_is_one_of_openssl_s() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name in ciphers.SUITES:
        context.set_ciphers(ciphers.cipher_list([name]))


def test_a_certificate_of_the_node_s_own(tmp_path: Path) -> None:
    directory = str(tmp_path / "pki")
    certificate, key = self_signed.ensure(directory, "node1", ["127.0.0.1", "::1"])
    assert os.path.basename(certificate) == "kubelet.crt"
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    first = Path(certificate).read_bytes()
    assert self_signed.ensure(directory, "node1", ["127.0.0.1"]) == (certificate, key)
    assert Path(certificate).read_bytes() == first
    Path(key).write_text("lost")
    self_signed.ensure(directory, "node1", ["127.0.0.1"])
    assert Path(certificate).read_bytes() != first
    ServerContexts(TlsFiles(certificate=certificate, key=key), SecuritySection())


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"none\.crt"):
        ServerContexts(
            TlsFiles(certificate=str(tmp_path / "none.crt"), key=str(tmp_path / "none.key")), SecuritySection()
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedPrecondition, match="--cert-dir"):
        self_signed.ensure(str(tmp_path / "file" / "pki"), "node1", [])
