from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import logging
import socket
from pathlib import Path

import pytest
from aiohttp import web

from podwright import errors
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.registry.client import Resolved
from podwright.runtime.registry.manifest import Descriptor
from tests.harness.scripted_registry import ScriptedRegistry, breaking_off, fixed
from tests.runtime.registry.asking import (
    AUTH,
    BLOB,
    BLOB_PATH,
    DESCRIPTOR,
    DIGEST,
    TAG_PATH,
    Memory,
    blob,
    client,
    hosts_toml,
    resolve,
)
from tools.images import Image, digest_of
from tools.ports import free_port


async def test_resolve_needs_one_head(registry: ScriptedRegistry, image: Image) -> None:
    assert await resolve(registry.host) == Resolved(digest=image.digest, media_type=image.media_type)
    assert [(seen.method, seen.path) for seen in registry.requests] == [("HEAD", TAG_PATH)]


@pytest.mark.parametrize("status", [405, 200])
async def test_servers_without_a_useful_head(status: int, registry: ScriptedRegistry, image: Image) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(status=status)
        return await registry.honest(request)

    registry.answers[TAG_PATH] = answer
    resolved = await resolve(registry.host)
    assert (resolved.digest, resolved.data) == (image.digest, image.manifest)


async def test_unknown_names_say_what_is_missing(registry: ScriptedRegistry) -> None:
    async with client(registry.host, name="nope:2") as one:
        with pytest.raises(errors.NotFound, match=rf"{registry.host}/nope:2: .*does not have nope:2"):
            await one.resolve()


async def test_nobody_there() -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(errors.Unknown, match=rf"^RegistryUnavailable: .*{host}.*refused"):
        await resolve(host)


async def test_a_login_page_is_no_manifest(registry: ScriptedRegistry) -> None:
    registry.answers["*"] = fixed(200, b"<html>please pay</html>", Content_Type="text/html")
    with pytest.raises(errors.FailedPrecondition, match="text/html"):
        await resolve(registry.host)


async def test_a_manifest_with_another_digest(registry: ScriptedRegistry, image: Image) -> None:
    registry.put(f"/v2/app/manifests/{image.digest}", image.manifest + b" ", image.media_type)
    async with client(registry.host) as one:
        with pytest.raises(errors.FailedPrecondition, match=image.digest):
            await one.manifest(image.digest)


async def test_a_manifest_without_end(registry: ScriptedRegistry, image: Image) -> None:
    registry.put(f"/v2/app/manifests/{image.digest}", b"{" * (9 << 20))
    async with client(registry.host) as one:
        with pytest.raises(errors.FailedPrecondition, match="more than"):
            await one.manifest(image.digest)


# Busy, broken and lying servers


@pytest.mark.parametrize(("status", "times"), [(429, 2), (408, 1), (503, 1)])
async def test_waiting_helps(status: int, times: int, registry: ScriptedRegistry) -> None:
    left = times

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal left
        left -= 1
        return web.Response(status=status) if left >= 0 else await registry.honest(request)

    registry.answers[TAG_PATH] = answer
    await resolve(registry.host)


async def test_a_server_that_stays_broken(registry: ScriptedRegistry) -> None:
    registry.answers["*"] = fixed(503)
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: .*503"):
        await resolve(registry.host)
    assert len(registry.requests) == 2


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_broken_download_goes_on_where_it_stopped(ranges: bool, registry: ScriptedRegistry) -> None:
    registry.ranges = ranges
    broken = breaking_off(BLOB, 2_000_000)

    async def once(request: web.Request) -> web.StreamResponse:
        registry.answers.clear()
        return await broken(request)

    registry.answers[BLOB_PATH] = once
    assert await blob(registry.host) == BLOB
    assert registry.requests[-1].headers["Range"].startswith("bytes=")


async def test_a_download_that_breaks_at_the_same_place_for_ever(registry: ScriptedRegistry) -> None:
    registry.ranges = False
    registry.answers[BLOB_PATH] = breaking_off(BLOB, 2_000_000)
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: "):
        await blob(registry.host)
    assert len(registry.requests) <= 3


async def test_a_server_that_falls_silent(registry: ScriptedRegistry) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(BLOB))})
        await response.prepare(request)
        await asyncio.sleep(3600)
        return response

    registry.answers[BLOB_PATH] = silent
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: .*not a byte for 0\.5 s"):
        await blob(registry.host, stall_timeout_s=0.5)


async def test_a_short_blob(registry: ScriptedRegistry) -> None:
    registry.put(BLOB_PATH, BLOB[:-1])
    with pytest.raises(errors.FailedPrecondition, match=f"{len(BLOB) - 1} of the {len(BLOB)} bytes"):
        await blob(registry.host)


# Credentials


def bearer(registry: ScriptedRegistry, realm: str = "") -> None:
    """Ask for the token `good` everywhere; the token server is the registry itself unless `realm` says otherwise."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == "Bearer good":
            return await registry.honest(request)
        where = realm or f"{registry.url}/token"
        header = f'Bearer realm="{where}",service="reg",scope="repository:app:pull"'
        return web.Response(status=401, headers={"WWW-Authenticate": header})

    registry.answers["*"] = guarded
    registry.answers["/token"] = fixed(200, b'{"token": "good"}')


async def test_an_anonymous_token_is_fetched_once(registry: ScriptedRegistry) -> None:
    bearer(registry)
    async with client(registry.host) as one:
        sinks = [Memory() for _ in range(5)]
        await one.resolve()
        await asyncio.gather(*(one.blob(DESCRIPTOR, sink) for sink in sinks))
    (asked,) = [seen for seen in registry.requests if seen.path == "/token"]
    assert (asked.method, asked.query) == ("GET", {"service": "reg", "scope": "repository:app:pull"})
    assert "Authorization" not in asked.headers


async def test_a_token_for_a_password_by_oauth2(registry: ScriptedRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bearer(registry)
    forms = []

    async def token(request: web.Request) -> web.StreamResponse:
        forms.append(dict(await request.post()))
        return web.json_response({"access_token": "good"})

    registry.answers["/token"] = token
    await resolve(registry.host, AUTH)
    assert forms == [
        {
            "grant_type": "password",
            "username": "me",
            "password": "very-secret",
            "scope": "repository:app:pull",
            "service": "reg",
            "client_id": "podwright",
        }
    ]
    assert "very-secret" not in caplog.text
    assert "good" not in caplog.text


async def test_a_token_server_without_oauth2(registry: ScriptedRegistry) -> None:
    bearer(registry)

    async def token(request: web.Request) -> web.StreamResponse:
        expected = "Basic " + base64.b64encode(b"me:very-secret").decode()
        if request.method == "POST" or request.headers.get("Authorization") != expected:
            return web.Response(status=404)
        return web.json_response({"token": "good"})

    registry.answers["/token"] = token
    await resolve(registry.host, AUTH)


async def test_a_refresh_token(registry: ScriptedRegistry) -> None:
    bearer(registry)

    async def token(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        good = (form["grant_type"], form["refresh_token"]) == ("refresh_token", "identity")
        return web.json_response({"access_token": "good"} if good else {})

    registry.answers["/token"] = token
    await resolve(registry.host, RegistryAuth(identity_token="identity"))


async def test_a_token_as_it_is(registry: ScriptedRegistry) -> None:
    bearer(registry)
    await resolve(registry.host, RegistryAuth(registry_token="good"))
    assert len(registry.requests) == 1


async def test_basic(registry: ScriptedRegistry) -> None:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:very-secret").decode():
            return await registry.honest(request)
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    registry.answers["*"] = guarded
    await resolve(registry.host, AUTH)
    with pytest.raises(errors.PermissionDenied, match="there are none"):
        await resolve(registry.host)
    with pytest.raises(errors.PermissionDenied, match="rejects") as failure:
        await resolve(registry.host, RegistryAuth(username="me", password="wrong-secret"))
    assert "wrong-secret" not in str(failure.value)


@pytest.mark.parametrize("auth", [None, AUTH])
async def test_401_for_ever(auth: RegistryAuth | None, registry: ScriptedRegistry) -> None:
    bearer(registry)
    registry.answers["/token"] = fixed(200, b'{"token": "useless"}')
    with pytest.raises(errors.PermissionDenied, match=f"{registry.host} denies access to app"):
        await resolve(registry.host, auth)
    assert len(registry.requests) < 10


async def test_a_token_server_with_nonsense(registry: ScriptedRegistry) -> None:
    bearer(registry)
    registry.answers["/token"] = fixed(200, b"<html>")
    with pytest.raises(errors.FailedPrecondition, match="without a token"):
        await resolve(registry.host)


async def test_credentials_stay_with_their_host_on_redirects(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path
) -> None:
    bearer(registry)
    guarded = registry.answers["*"]
    mirror.put("/storage", BLOB)

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        found = await guarded(request)
        if found.status == 200:
            return web.Response(status=307, headers={"Location": f"{mirror.url}/storage?signature=s"})
        return found

    registry.answers[BLOB_PATH] = elsewhere
    certs_d = hosts_toml(tmp_path, f'server = "{registry.url}"\n[header]\nx-api-key = "key"')
    assert await blob(registry.host, AUTH, certs_d) == BLOB
    (seen,) = mirror.requests
    assert not {"authorization", "x-api-key", "cookie"} & {name.lower() for name in seen.headers}
    assert registry.requests[0].headers["x-api-key"] == "key"


async def test_redirects_in_a_circle(registry: ScriptedRegistry) -> None:
    registry.answers[BLOB_PATH] = fixed(302, Location=BLOB_PATH)
    with pytest.raises(errors.FailedPrecondition, match="circle"):
        await blob(registry.host)


async def test_redirects_to_other_schemes(registry: ScriptedRegistry) -> None:
    registry.answers[BLOB_PATH] = fixed(302, Location="file:///etc/passwd")
    with pytest.raises(errors.FailedPrecondition, match="redirects to file"):
        await blob(registry.host)


# Mirrors


async def test_a_mirror_is_asked_first_and_told_whom_it_stands_for(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, image: Image, tmp_path: Path
) -> None:
    mirror.serve("app:1", image)
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]')
    assert (await resolve(registry.host, AUTH, certs_d)).digest == image.digest
    assert await blob(registry.host, AUTH, certs_d) == BLOB  # which only the registry has
    assert [seen.query for seen in mirror.requests] == [{"ns": registry.host}] * 2
    assert not any("Authorization" in seen.headers for seen in mirror.requests)
    assert [seen.query for seen in registry.requests] == [{}]


@pytest.mark.parametrize("failing", ["404", "500", "html", "digest", "breaks", "down"])
async def test_a_mirror_that_fails_is_passed_over(
    failing: str, registry: ScriptedRegistry, mirror: ScriptedRegistry, image: Image, tmp_path: Path
) -> None:
    manifest_path = f"/v2/app/manifests/{image.digest}"
    mirror.answers["*"] = {
        "404": fixed(404),
        "500": fixed(500),
        "html": fixed(200, b"<html>", Content_Type="text/html"),
        "digest": fixed(200, b"{}"),
        "breaks": breaking_off(bytes(1000), 10),
        "down": fixed(404),
    }[failing]
    url = f"http://127.0.0.1:{free_port()}" if failing == "down" else mirror.url
    certs_d = hosts_toml(tmp_path, f'[host."{url}"]')
    async with client(registry.host, certs_d=certs_d) as one:
        assert (await one.manifest(image.digest))[0] == image.manifest
    assert manifest_path in registry.paths()


async def test_capabilities(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, image: Image, tmp_path: Path
) -> None:
    mirror.serve("app:1", image)
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]\ncapabilities = ["pull"]')
    async with client(registry.host, certs_d=certs_d) as one:
        resolved = await one.resolve()
        await one.manifest(resolved.digest)
    assert (registry.paths("HEAD"), registry.paths()) == ([TAG_PATH], [])
    assert (mirror.paths("HEAD"), mirror.paths()) == ([], [f"/v2/app/manifests/{image.digest}"])


async def test_override_path(registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path) -> None:
    mirror.put("/proxy/x/app/manifests/1", b"{}")
    mirror.answers["/proxy/x/app/manifests/1"] = fixed(200, b"{}", Docker_Content_Digest=DIGEST)
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}/proxy/x"]\noverride_path = true')
    assert (await resolve(registry.host, None, certs_d)).digest == DIGEST


async def test_a_token_server_must_be_as_confidential(tls_registry: ScriptedRegistry, tmp_path: Path) -> None:
    bearer(tls_registry, realm="http://127.0.0.1:1/token")
    certs_d = hosts_toml(tmp_path, f'server = "{tls_registry.url}"\nskip_verify = true')
    with pytest.raises(errors.PermissionDenied, match="must not get the credentials"):
        await resolve(tls_registry.host, AUTH, certs_d)


async def test_mirrors_are_read_anew(
    registry: ScriptedRegistry, mirror: ScriptedRegistry, image: Image, tmp_path: Path
) -> None:
    mirror.serve("app:1", image)
    hosts_toml(tmp_path, "")
    await resolve(registry.host, None, tmp_path)
    (tmp_path / "_default" / "hosts.toml").write_text(f'[host."{mirror.url}"]')
    await resolve(registry.host, None, tmp_path)
    assert (len(registry.requests), len(mirror.requests)) == (1, 1)


async def test_a_mirror_that_does_not_take_calls(registry: ScriptedRegistry, image: Image, tmp_path: Path) -> None:
    """Its queue of connections is full, so that ours stays without an answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        for _ in range(2):
            caller = stack.enter_context(contextlib.closing(socket.socket()))
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        certs_d = hosts_toml(tmp_path, f'[host."{url}"]\ndial_timeout = "200ms"')
        async with client(registry.host, None, certs_d, connect_timeout_s=3600.0) as one:
            assert (await one.resolve()).digest == image.digest


def compressed(registry: ScriptedRegistry, path: str, status: int = 200) -> None:
    registry.answers[path] = fixed(status, gzip.compress(registry.document(path)), Content_Encoding="gzip")


async def test_what_was_compressed_on_its_way(registry: ScriptedRegistry, image: Image) -> None:
    """Manifests by tag and by digest, configs, and errors."""
    for path in (TAG_PATH, f"/v2/app/manifests/{image.digest}", f"/v2/app/blobs/{image.image_id}"):
        compressed(registry, path)
    descriptor = Descriptor(media_type="x", digest=image.image_id, size=len(image.config))
    async with client(registry.host) as one:
        resolved = await one.resolve()
        assert (resolved.digest, resolved.data) == (image.digest, image.manifest)
        assert (await one.manifest(image.digest))[0] == image.manifest
        assert await one.config(descriptor) == image.config
        path = f"/v2/app/manifests/{DIGEST}"
        registry.put(path, b'{"errors": [{"code": "DENIED", "message": "not for you"}]}')
        compressed(registry, path, 403)
        with pytest.raises(errors.PermissionDenied, match="not for you"):
            await one.manifest(DIGEST)


async def test_a_blob_of_gzip_that_is_called_so(registry: ScriptedRegistry) -> None:
    """Some stores keep the header of the upload: the digest is that of the compressed bytes."""
    packed = gzip.compress(b"{}")
    descriptor = Descriptor(media_type="x", digest=digest_of(packed), size=len(packed))
    registry.answers[f"/v2/app/blobs/{descriptor.digest}"] = fixed(200, packed, Content_Encoding="gzip")
    async with client(registry.host) as one:
        assert await one.config(descriptor) == packed


async def test_errors_with_nulls(registry: ScriptedRegistry) -> None:
    body = b'{"errors": [null, {"code": "DENIED", "message": null, "detail": null}]}'
    registry.answers["*"] = fixed(403, body)
    async with client(registry.host) as one:
        with pytest.raises(errors.PermissionDenied, match="DENIED"):
            await one.manifest(DIGEST)
