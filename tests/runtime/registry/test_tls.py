"""TLS: authorities, certificates of our own, and guesses about loopback."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright import errors
from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.registry.asking import hosts_toml, resolve
from tools.images import Image


async def test_loopback_may_speak_tls_after_all(tls_registry: ScriptedRegistry, image: Image) -> None:
    assert (await resolve(tls_registry.host)).digest == image.digest


async def test_an_unknown_authority(tls_registry: ScriptedRegistry, tmp_path: Path) -> None:
    certs_d = hosts_toml(tmp_path, f'server = "{tls_registry.url}"')
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: .*TLS failed"):
        await resolve(tls_registry.host, None, certs_d)


@pytest.mark.parametrize("setting", ['ca = "{folder}/cert.pem"', "skip_verify = true"])
async def test_tls_settings(
    setting: str, tls_registry: ScriptedRegistry, certificate: Path, image: Image, tmp_path: Path
) -> None:
    text = f'server = "{tls_registry.url}"\n{setting.format(folder=certificate)}'
    assert (await resolve(tls_registry.host, None, hosts_toml(tmp_path, text))).digest == image.digest


async def test_a_ca_file_that_is_not_there(tls_registry: ScriptedRegistry, tmp_path: Path) -> None:
    certs_d = hosts_toml(tmp_path, f'server = "{tls_registry.url}"\nca = "missing.pem"')
    with pytest.raises(errors.FailedPrecondition, match=r"missing\.pem"):
        await resolve(tls_registry.host, None, certs_d)


@pytest_asyncio.fixture
async def wary_registry(certificate: Path, image: Image) -> AsyncIterator[ScriptedRegistry]:
    """Wants a certificate of its callers, signed by that authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate / "cert.pem"))
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    async with ScriptedRegistry(context) as server:
        server.serve("app:1", image)
        yield server


@pytest.mark.parametrize("client", ['"both.pem"', '["both.pem"]', '[["{folder}/cert.pem", "{folder}/key.pem"]]'])
async def test_certificates_of_our_own(
    client: str, wary_registry: ScriptedRegistry, certificate: Path, image: Image, tmp_path: Path
) -> None:
    (tmp_path / "_default").mkdir()
    both = (certificate / "cert.pem").read_text() + (certificate / "key.pem").read_text()
    (tmp_path / "_default" / "both.pem").write_text(both)
    hosts = tmp_path / "_default" / "hosts.toml"
    text = f'server = "{wary_registry.url}"\nca = "{certificate}/cert.pem"\n'
    hosts.write_text(text)
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: "):
        await resolve(wary_registry.host, None, tmp_path)
    hosts.write_text(text + f"client = {client.replace('{folder}', str(certificate))}\n")  # read anew
    assert (await resolve(wary_registry.host, None, tmp_path)).digest == image.digest


async def test_dockers_folder_of_certificates(
    wary_registry: ScriptedRegistry, certificate: Path, image: Image, tmp_path: Path
) -> None:
    folder = tmp_path / wary_registry.host
    folder.mkdir()
    for source, name in (("cert.pem", "ca.crt"), ("cert.pem", "client.cert"), ("key.pem", "client.key")):
        shutil.copy(certificate / source, folder / name)
    assert (await resolve(wary_registry.host, None, tmp_path)).digest == image.digest
