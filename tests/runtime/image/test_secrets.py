"""Credentials through a whole daemon: in no log, no error, no file and no argument of a process."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PermissionDenied, PodwrightError
from tests.fixtures import FreshPodwright
from tests.harness.guarded_registry import PAIR, PASSWORD, USER, guarded_registry
from tests.harness.podwright import Podwright
from tests.harness.processes import command_lines
from tools.images import busybox_image
from tools.registry import Registry, write_hosts

pytestmark = pytest.mark.root

WRONG = "wrong-secret"
WRONG_PAIR = base64.b64encode(f"{USER}:{WRONG}".encode()).decode()
SECRETS = (PASSWORD, PAIR, WRONG, WRONG_PAIR)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Registry]:
    """Wants the password."""
    (tmp_path / "guarded").mkdir()
    with guarded_registry(tmp_path / "guarded", busybox_image()) as registry:
        yield registry


async def pull(cri: CriClient, image: str, auth: api.AuthConfig | None = None) -> None:
    await cri.call(cri.images.PullImage, api.PullImageRequest(image=api.ImageSpec(image=image), auth=auth))


async def refused(cri: CriClient, image: str, auth: api.AuthConfig | None) -> None:
    with pytest.raises(PodwrightError) as failure:
        await pull(cri, image, auth)
    assert isinstance(failure.value, PermissionDenied)
    assert not [secret for secret in SECRETS if secret in repr(failure.value)]


def told(server: Podwright, *, but_for: Path) -> list[str]:
    """Files of the daemon, its log and its database among them, that hold a secret."""
    found = []
    for path in server.directory.rglob("*"):
        if path.is_file() and not path.is_symlink() and path != but_for:
            content = path.read_bytes()
            found += [f"{path}: {secret}" for secret in SECRETS if secret.encode() in content]
    return found


async def test_nobody_is_told(fresh_podwright: FreshPodwright, guarded: Registry, tmp_path: Path) -> None:
    logins = tmp_path / "logins.json"
    logins.write_text("{}")
    write_hosts(tmp_path / "certs", guarded.url, host="mirrored.test")
    server = fresh_podwright({"registry": {"config_path": str(tmp_path / "certs"), "auth_file": str(logins)}})
    image, mirrored = f"{guarded.host}/app:1", "mirrored.test/app:1"
    arguments: list[str] = []

    async def watch() -> None:
        while True:
            arguments.extend(line for line in command_lines().values() if any(secret in line for secret in SECRETS))
            await asyncio.sleep(0.005)

    async with server.client() as cri:
        watcher = asyncio.create_task(watch())
        for auth in (
            api.AuthConfig(username=USER, password=WRONG),
            api.AuthConfig(auth=WRONG_PAIR),
            api.AuthConfig(identity_token=WRONG),
            api.AuthConfig(registry_token=WRONG),
            api.AuthConfig(auth=PAIR, server_address="elsewhere.test"),
            None,
        ):
            await refused(cri, image, auth)
        await pull(cri, image, api.AuthConfig(username=USER, password=PASSWORD))
        await pull(cri, image, api.AuthConfig(auth=PAIR))
        logins.write_text(json.dumps({"auths": {guarded.host: {"auth": PAIR}}}))  # no restart
        await pull(cri, image)
        await pull(cri, mirrored)  # a mirror has a login of its own
        watcher.cancel()
    assert "image pulled" in server.log.read_text()
    assert told(server, but_for=logins) == []
    assert arguments == []
