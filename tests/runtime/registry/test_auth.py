"""Credentials against servers that are wrong, curious or hostile: they go nowhere else, and nobody reads of them."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from podwright import errors
from podwright.conformance.patience import patient
from podwright.process import PosixProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.registry import reference
from podwright.runtime.registry.challenge import hidden
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.logins import DaemonLogins
from tests.harness.processes import command_lines
from tests.harness.scripted_registry import Answer, ScriptedRegistry, fixed
from tests.runtime.registry.asking import AUTH, BLOB, BLOB_PATH, TAG_PATH, blob, client, hosts_toml, resolve

SECRET = "very-secret"
BASIC = base64.b64encode(b"me:very-secret").decode()
IDENTITY = RegistryAuth(identity_token=SECRET)
TOKEN = RegistryAuth(registry_token=SECRET)
EVERY_KIND = {"password": AUTH, "auth": RegistryAuth(auth=BASIC), "identity": IDENTITY, "token": TOKEN}


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """In no test of this file does a log speak of a secret."""
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text
    assert BASIC not in caplog.text


def asking_for_bearer(realm: str) -> Answer:
    return fixed(401, WWW_Authenticate=f'Bearer realm="{realm}",service="reg"')


async def refused(
    host: str,
    auth: RegistryAuth,
    words: str,
    certs_d: Path | None = None,
    *,
    ask: Callable[..., Awaitable[object]] = resolve,
) -> None:
    with pytest.raises(errors.PodwrightError, match=words) as failure:
        await ask(host, auth, certs_d)
    assert not isinstance(failure.value, errors.Internal)
    text = f"{failure.value!r} {failure.value} {failure.value.__cause__!r}"
    assert SECRET not in text
    assert BASIC not in text


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("challenge", ["Basic realm=x", 'Bearer realm="{url}/token"', "Digest realm=x", ""])
async def test_401_for_ever(challenge: str, kind: str, registry: ScriptedRegistry) -> None:
    asking = fixed(401, WWW_Authenticate=challenge.format(url=registry.url))
    registry.answers["*"] = asking if challenge else fixed(401)
    await refused(registry.host, EVERY_KIND[kind], f"{registry.host}.* denies access to app")
    assert len(registry.requests) <= 6


@pytest.mark.parametrize("kind", EVERY_KIND)
async def test_a_server_that_says_again_what_it_was_sent(kind: str, registry: ScriptedRegistry) -> None:
    """In its error's words, its status line and the token server's answer."""

    async def curious(request: web.Request) -> web.StreamResponse:
        said = f"you sent {dict(request.headers)} {await request.text()} {SECRET}\r\n\x1b[31mforged"
        body = {"errors": [{"code": "DENIED", "message": said}], "details": said}
        if "Authorization" not in request.headers:
            basic = kind in ("password", "auth")
            realm = f"{registry.url}/token"
            return await (fixed(401, WWW_Authenticate="Basic") if basic else asking_for_bearer(realm))(request)
        return web.json_response(body, status=403, reason=f"No {SECRET}")

    registry.answers["*"] = curious
    registry.answers["/token"] = fixed(200, json.dumps({"token": "the-token"}).encode())
    await refused(registry.host, EVERY_KIND[kind], r"denies access to app: you sent .*\.\.\.", ask=blob)


async def test_words_of_a_server_stay_on_one_line(
    registry: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    said = json.dumps({"errors": [{"message": "no\n2026-01-01 INFO podwright all is well\x1b[0m"}]}).encode()
    registry.answers["*"] = fixed(403, said)
    await refused(registry.host, AUTH, "all is well", ask=blob)
    assert not [record for record in caplog.records if "\n" in record.getMessage() or "\x1b" in record.getMessage()]


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("http://[broken", "not a URL"),
        ("ftp://127.0.0.1/token", "token server ftp://127.0.0.1 must not get"),
        ("file:///etc/passwd", "must not get the credentials"),
        ("/relative", "must not get the credentials"),
        ("http://user:pass@127.0.0.1:1/token", r"127\.0\.0\.1:1: Connection refused"),
        ("http://127.0.0.1:99999/token", "RegistryUnavailable|no URL|not a URL"),
    ],
)
async def test_a_wrong_realm(realm: str, words: str, registry: ScriptedRegistry) -> None:
    registry.answers["*"] = asking_for_bearer(realm)
    with pytest.raises(errors.PodwrightError, match=words) as failure:
        await resolve(registry.host, AUTH)
    assert "user:pass" not in str(failure.value)


async def test_no_realm_at_all(registry: ScriptedRegistry) -> None:
    registry.answers["*"] = fixed(401, WWW_Authenticate='Bearer service="x"')
    await refused(registry.host, AUTH, "unsupported kind of authentication")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["password", "identity"])
async def test_a_token_server_that_sends_us_elsewhere(
    kind: str, status: int, registry: ScriptedRegistry, mirror: ScriptedRegistry
) -> None:
    """The form with the secret in it goes to nobody else, whatever the kind of redirect."""
    registry.answers["*"] = asking_for_bearer(f"{registry.url}/token")
    registry.answers["/token"] = fixed(status, Location=f"{mirror.url}/steal")
    await refused(registry.host, EVERY_KIND[kind], f"redirects an upload to {mirror.host}")
    assert mirror.requests == []


@pytest.mark.parametrize("kind", EVERY_KIND)
async def test_a_registry_that_sends_us_elsewhere(
    kind: str, registry: ScriptedRegistry, mirror: ScriptedRegistry
) -> None:
    """Elsewhere asks for credentials in turn, and gets none."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if "Authorization" not in request.headers:
            return await fixed(401, WWW_Authenticate="Basic realm=x")(request)
        return await fixed(307, Location=f"{mirror.url}/storage?X-Signature=signed-url")(request)

    registry.answers[BLOB_PATH] = guarded
    mirror.answers["*"] = fixed(401, WWW_Authenticate="Basic realm=y")
    with pytest.raises(errors.PermissionDenied) as failure:
        await blob(registry.host, EVERY_KIND[kind])
    assert "signed-url" not in str(failure.value)
    assert not [seen for seen in mirror.requests if "Authorization" in seen.headers]


@pytest.mark.parametrize(
    "location", ["http://[x", "//", "http://", "ftp://x/", "javascript:1", "http://a b/", "http://\x00/", "h" * 5000]
)
async def test_redirects_that_lead_nowhere(location: str, registry: ScriptedRegistry) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location.replace("\x00", "%00")})

    registry.answers[TAG_PATH] = answer
    await refused(registry.host, AUTH, registry.host)


async def test_a_redirect_with_a_user_in_it(registry: ScriptedRegistry) -> None:
    registry.answers[BLOB_PATH] = fixed(302, Location=f"http://me:{SECRET}@127.0.0.1:1/x")
    with pytest.raises(errors.Unknown, match=r"redirected to 127\.0\.0\.1:1") as failure:
        await blob(registry.host)
    assert SECRET not in str(failure.value)


async def test_a_mirror_s_url_with_a_user_in_it(registry: ScriptedRegistry, tmp_path: Path) -> None:
    certs_d = hosts_toml(tmp_path, f'[host."https://me:{SECRET}@mirror.test"]')
    await refused(registry.host, AUTH, "'mirror.test' has a user in it", certs_d)


async def test_headers_of_the_configuration(registry: ScriptedRegistry, tmp_path: Path) -> None:
    """All values go out, ours count where both have one, and an echo of them is not repeated."""
    header = f'x-list = ["1", "2"]\nAuthorization = "Basic {BASIC}"\naccept = "x/y"'
    certs_d = hosts_toml(tmp_path, f'server = "{registry.url}"\n[header]\n{header}')
    await resolve(registry.host, certs_d=certs_d)
    seen = {name.lower(): value for name, value in registry.requests[0].headers.items()}
    assert (seen["x-list"], seen["authorization"]) == ("1, 2", f"Basic {BASIC}")
    assert seen["accept"] != "x/y"
    registry.answers["*"] = fixed(403, json.dumps({"errors": [{"message": f"not for {BASIC}"}]}).encode())
    await refused(registry.host, RegistryAuth(), r"not for \.\.\.", certs_d, ask=blob)


async def test_a_token_that_is_none() -> None:
    with pytest.raises(errors.InvalidArgument, match="registry_token") as failure:
        client("127.0.0.1:1", RegistryAuth(registry_token=f"{SECRET}\r\nx: y"))
    assert SECRET not in str(failure.value)


async def test_an_old_token_is_renewed(registry: ScriptedRegistry) -> None:
    """It expires between two requests of one pull."""
    valid = "t1"

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == f"Bearer {valid}":
            return await registry.honest(request)
        return await asking_for_bearer(f"{registry.url}/token")(request)

    async def token(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"token": valid, "expires_in": 60})

    registry.answers |= {"*": guarded, "/token": token}
    async with client(registry.host) as one:
        digest = (await one.resolve()).digest
        valid = "t2"
        await one.manifest(digest)
    assert registry.paths().count("/token") == 2


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sleep 3600", "docker-credential-test does not run: .*0.3 s"),
        ("exit 3", "failed with exit code 3"),
        (f"echo {SECRET}", "something other than its protocol"),
        (f'echo "{SECRET}" >&2; exit 1', "failed with exit code 1"),
        ("head -c 3000000 /dev/zero", "docker-credential-test"),
        ("echo credentials not found in native keychain; exit 1", "there are none"),
    ],
    ids=["hangs", "fails", "garbage", "secret-on-stderr", "endless", "has-none"],
)
async def test_helpers_that_do_not_help(
    script: str, words: str, registry: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, script)
    file = tmp_path / "config.json"
    file.write_text('{"credsStore": "test"}')
    registry.answers["*"] = fixed(401, WWW_Authenticate="Basic realm=x")
    timeout_s = 0.3 if script == "sleep 3600" else patient(60.0)
    settings = RegistrySettings(config_path="", auth_file=str(file), credential_helper_timeout_s=timeout_s)
    one = Client(
        reference.parse(f"{registry.host}/app:1"), None, settings, DaemonLogins(settings, PosixProcessRunner())
    )
    async with one:
        with pytest.raises(errors.PermissionDenied, match=words) as failure:
            await one.resolve()
    assert SECRET not in str(failure.value)


async def test_secrets_are_in_no_argument(
    registry: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the helper runs, every process of this machine is looked at."""
    script = f"touch {tmp_path}/began; until [ -e {tmp_path}/go ]; do sleep 0.01; done"
    helper(tmp_path, monkeypatch, script + """; printf '{"Username":"me","Secret":"%s%s"}' very- secret""")
    file = tmp_path / "config.json"
    file.write_text('{"credsStore": "test"}')
    registry.answers["*"] = fixed(401, WWW_Authenticate="Basic realm=x")
    settings = RegistrySettings(config_path="", auth_file=str(file))
    logins = DaemonLogins(settings, PosixProcessRunner())
    asked = asyncio.create_task(logins.find(registry.host, "app"))
    async with asyncio.timeout(patient(60)):
        while not (tmp_path / "began").exists():  # noqa: ASYNC110 # a file tells nobody
            await asyncio.sleep(0.01)
    assert not [line for line in command_lines().values() if SECRET in line]
    (tmp_path / "go").touch()
    found = await asked
    assert (found.username, found.secret) == ("me", SECRET)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("user me:pass1", ["pass1"], "user me:..."),
        ("longer-pass1 pass1", ["pass1", "longer-pass1"], "... ..."),
        ("an a", ["a", ""], "an a"),
    ],
)
def test_hidden(text: str, secrets: list[str], shown: str) -> None:
    assert hidden(text, secrets) == shown


async def test_the_blob_is_there_with_every_kind(registry: ScriptedRegistry) -> None:
    """The other side of this file: right credentials of each kind do open."""
    good = {f"Basic {BASIC}", f"Bearer {SECRET}", "Bearer exchanged"}

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") in good:
            return await registry.honest(request)
        return await asking_for_bearer(f"{registry.url}/token")(request)

    async def token(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        known = SECRET in (form.get("password"), form.get("refresh_token"))
        return web.json_response({"access_token": "exchanged"} if known else {}, status=200 if known else 401)

    registry.answers |= {"*": guarded, "/token": token}
    for auth in EVERY_KIND.values():
        assert await blob(registry.host, auth) == BLOB
