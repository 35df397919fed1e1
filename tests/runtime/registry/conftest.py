"""Registries of a test's own."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.registry.asking import BLOB, BLOB_PATH
from tools.images import Entry, Image, image_of, layer_of


@pytest.fixture(scope="module")
def image() -> Image:
    return image_of([layer_of([Entry("f", 0o644)])], {})


@pytest_asyncio.fixture
async def registry(image: Image) -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as server:
        server.serve("app:1", image)
        server.put(BLOB_PATH, BLOB)
        yield server


@pytest_asyncio.fixture
async def mirror() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and registry.test: cert.pem and key.pem in a folder."""
    folder = tmp_path_factory.mktemp("tls")
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    request += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=test"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:registry.test"]
    subprocess.run(request, cwd=folder, check=True, capture_output=True)
    return folder


@pytest_asyncio.fixture
async def tls_registry(certificate: Path, image: Image) -> AsyncIterator[ScriptedRegistry]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    async with ScriptedRegistry(context) as server:
        server.serve("app:1", image)
        yield server
