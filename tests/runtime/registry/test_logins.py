"""The daemon's own logins, on scripted registries and on a docker-registry that wants passwords."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from podwright import errors
from podwright.process import PosixProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.registry import reference
from podwright.runtime.registry.client import Client, Resolved
from podwright.runtime.registry.logins import DaemonLogins, default_path
from tests.harness.guarded_registry import PAIR, guarded_registry
from tests.harness.scripted_registry import Answer, ScriptedRegistry, fixed
from tests.runtime.registry.asking import hosts_toml
from tools.images import busybox_image
from tools.registry import Registry


async def _resolve(
    name: str, auth_file: Path, auth: RegistryAuth | None = None, certs_d: Path | None = None
) -> Resolved:
    settings = RegistrySettings(config_path=str(certs_d or ""), auth_file=str(auth_file))
    logins = DaemonLogins(settings, PosixProcessRunner())
    async with Client(reference.parse(name), auth, settings, logins) as client:
        return await client.resolve()


def _file(path: Path, **content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def _basic(registry: ScriptedRegistry, header: str = f"Basic {PAIR}") -> Answer:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == header:
            return await registry.honest(request)
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    return guarded


async def test_a_login_is_shown_when_the_request_has_none(registry: ScriptedRegistry, tmp_path: Path) -> None:
    registry.answers["*"] = _basic(registry)
    file = tmp_path / "config.json"
    with pytest.raises(errors.PermissionDenied, match="there are none"):
        await _resolve(f"{registry.host}/app:1", file)
    _file(file, auths={registry.host: {"auth": PAIR}})  # no restart
    await _resolve(f"{registry.host}/app:1", file)
    await _resolve(f"{registry.host}/app:1", file, RegistryAuth())
    with pytest.raises(errors.PermissionDenied, match="rejects the credentials"):
        await _resolve(f"{registry.host}/app:1", file, RegistryAuth(username="you", password="p"))


async def test_nobody_is_asked_before_the_server_wants_credentials(registry: ScriptedRegistry, tmp_path: Path) -> None:
    file = _file(tmp_path / "config.json", auths={registry.host: {"auth": PAIR}})
    await _resolve(f"{registry.host}/app:1", file)
    assert not any("Authorization" in seen.headers for seen in registry.requests)


async def test_a_part_of_a_registry(registry: ScriptedRegistry, tmp_path: Path) -> None:
    registry.answers["*"] = _basic(registry)
    file = _file(tmp_path / "config.json", auths={f"{registry.host}/other": {"auth": PAIR}})
    with pytest.raises(errors.PermissionDenied):
        await _resolve(f"{registry.host}/app:1", file)
    _file(file, auths={f"{registry.host}/app": {"auth": PAIR}})
    await _resolve(f"{registry.host}/app:1", file)


async def test_an_identity_token_buys_a_bearer_token(registry: ScriptedRegistry, tmp_path: Path) -> None:
    async def closed(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == "Bearer good":
            return await registry.honest(request)
        challenge = f'Bearer realm="{registry.url}/token",service="s"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async def token(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"access_token": "good" if (await request.post())["refresh_token"] == "id" else "bad"}
        )

    registry.answers |= {"*": closed, "/token": token}
    file = _file(tmp_path / "config.json", auths={registry.host: {"identitytoken": "id"}})
    await _resolve(f"{registry.host}/app:1", file)


async def test_a_helper(registry: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker-credential-mine"
    program.write_text("""#!/bin/sh\necho '{"Username":"me","Secret":"very-secret"}'\n""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    registry.answers["*"] = _basic(registry)
    file = _file(tmp_path / "config.json", credHelpers={registry.host: "mine"})
    await _resolve(f"{registry.host}/app:1", file)
    _file(file, credsStore="mine")
    await _resolve(f"{registry.host}/app:1", file)
    _file(file, credsStore="absent")
    with pytest.raises(errors.PermissionDenied, match=r"there are none \(docker-credential-absent is not installed\)"):
        await _resolve(f"{registry.host}/app:1", file)


async def test_a_mirror_has_a_login_of_its_own(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path
) -> None:
    mirror.put("/v2/app/manifests/1", b"{}")
    mirror.answers["*"] = _basic(mirror)
    registry.answers["*"] = fixed(500)
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]')
    file = _file(tmp_path / "config.json", auths={mirror.host: {"auth": PAIR}, registry.host: {"auth": "eDp5"}})
    mirror.answers["/v2/app/manifests/1"] = _basic(mirror)
    mirror.serve("app:1", busybox_image())
    await _resolve(f"{registry.host}/app:1", file, certs_d=certs_d)
    assert registry.requests == []


async def test_a_broken_file_is_named_when_it_matters(registry: ScriptedRegistry, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{")
    await _resolve(f"{registry.host}/app:1", file)
    registry.answers["*"] = _basic(registry)
    with pytest.raises(errors.PermissionDenied, match=f"{file} is not a login file"):
        await _resolve(f"{registry.host}/app:1", file)


def test_where_docker_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    assert default_path() == "/home/me/.docker/config.json"
    monkeypatch.setenv("DOCKER_CONFIG", "/other")
    assert default_path() == "/other/config.json"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A docker-registry with one image, for which it wants a password."""
    with guarded_registry(tmp_path_factory.mktemp("guarded"), busybox_image()) as registry:
        yield registry


async def test_a_real_registry_that_wants_a_password(guarded: Registry, tmp_path: Path) -> None:
    name, nothing = f"{guarded.host}/app:1", tmp_path / "absent.json"
    for auth in (
        RegistryAuth(username="me", password="very-secret"),
        RegistryAuth(auth=PAIR),
        RegistryAuth(auth=PAIR, server_address=f"http://{guarded.host}"),
    ):
        await _resolve(name, nothing, auth)
    await _resolve(name, _file(tmp_path / "config.json", auths={guarded.host: {"auth": PAIR}}))
    for wrong in (
        None,
        RegistryAuth(username="me", password="wrong"),
        RegistryAuth(auth=PAIR, server_address="https://elsewhere.io"),
    ):
        with pytest.raises(errors.PermissionDenied, match=f"{guarded.host} denies access to app"):
            await _resolve(name, nothing, wrong)
