"""Asking registries through the client, in few words."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from podwright.runtime.config import RegistrySettings
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.registry import reference
from podwright.runtime.registry.client import Client, Resolved
from podwright.runtime.registry.manifest import Descriptor

BLOB = bytes(range(256)) * 20_000  # 5 MiB
DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()
DESCRIPTOR = Descriptor(media_type="x", digest=DIGEST, size=len(BLOB))
BLOB_PATH = f"/v2/app/blobs/{DIGEST}"
TAG_PATH = "/v2/app/manifests/1"
AUTH = RegistryAuth(username="me", password="very-secret")


class Memory:
    def __init__(self) -> None:
        self.data = bytearray()

    @property
    def written_bytes(self) -> int:
        return len(self.data)

    async def write(self, data: bytes | bytearray) -> None:
        self.data += data


def client(
    host: str, auth: RegistryAuth | None = None, certs_d: Path | None = None, name: str = "app:1", **settings: Any
) -> Client:
    """For a repository; `settings` are the registry section's. Use it as a context manager."""
    given: dict[str, Any] = {"config_path": str(certs_d or "")} | settings
    return Client(reference.parse(f"{host}/{name}"), auth, RegistrySettings(**given))


async def resolve(host: str, auth: RegistryAuth | None = None, certs_d: Path | None = None) -> Resolved:
    async with client(host, auth, certs_d) as one:
        return await one.resolve()


async def blob(host: str, auth: RegistryAuth | None = None, certs_d: Path | None = None, **settings: Any) -> bytes:
    sink = Memory()
    async with client(host, auth, certs_d, **settings) as one:
        await one.blob(DESCRIPTOR, sink)
    return bytes(sink.data)


def hosts_toml(folder: Path, text: str) -> Path:
    (folder / "_default").mkdir()
    (folder / "_default" / "hosts.toml").write_text(text)
    return folder
