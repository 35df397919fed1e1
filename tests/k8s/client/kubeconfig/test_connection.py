"""Kubeconfig files: what they say, and what is wrong with them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import InvalidArgument, NotFound, PodwrightError
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.failures import Unauthorized
from podwright.k8s.client.kubeconfig.connection import Connection, load
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import Node
from podwright.process import PosixProcessRunner
from tests.harness.apiserver.server import ADMIN, ApiServer, running

RUNNER = PosixProcessRunner()


def written(folder: Path, user: dict[str, Any], name: str = "config", **cluster: Any) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
    }
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)


async def is_known(connection: Connection) -> bool:
    """Whether the server takes the credentials."""
    transport = Transport(connection.endpoint, connection.credentials)
    try:
        await ApiClient(transport).get(Node, "n1")
    except NotFound:
        return True
    except Unauthorized:
        return False
    finally:
        await transport.close()
    return True


def authorities(server: ApiServer) -> dict[str, str]:
    return {
        "server": server.url,
        "certificate-authority-data": base64.b64encode(server.authority.certificate).decode(),
    }


async def test_every_form_of_credentials(tmp_path: Path) -> None:
    async with running() as server:
        issued = server.authority.issue(ADMIN)
        (tmp_path / "cert").write_bytes(issued.certificate)
        (tmp_path / "key").write_bytes(issued.key)
        (tmp_path / "token").write_text(server.admin_token + "\n")
        users: list[dict[str, Any]] = [
            {"token": server.admin_token},
            {"tokenFile": "token"},
            {"client-certificate": "cert", "client-key": str(tmp_path / "key")},
            {
                "client-certificate-data": base64.b64encode(issued.certificate).decode(),
                "client-key-data": base64.b64encode(issued.key).decode(),
            },
        ]
        for user in users:
            connection = load(written(tmp_path, user, **authorities(server)), RUNNER)
            assert await is_known(connection), user
        for user in ({}, {"token": "other"}, {"username": "a", "password": "b"}):
            assert not await is_known(load(written(tmp_path, user, **authorities(server)), RUNNER)), user


async def test_authorities_in_a_file_the_servers_name_and_no_check_at_all(tmp_path: Path) -> None:
    async with running() as server:
        (tmp_path / "ca").write_bytes(server.authority.certificate)
        user = {"token": server.admin_token}
        clusters: list[dict[str, Any]] = [
            {"certificate-authority": "ca"},
            {"certificate-authority": "ca", "tls-server-name": "kubernetes"},
            {"insecure-skip-tls-verify": True},
        ]
        for cluster in clusters:
            assert await is_known(load(written(tmp_path, user, server=server.url, **cluster), RUNNER))


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    async with running() as server:
        token = tmp_path / "token"
        token.write_text(server.admin_token)
        connection = load(written(tmp_path, {"tokenFile": "token"}, **authorities(server)), RUNNER)
        transport = Transport(connection.endpoint, connection.credentials)
        api = ApiClient(transport)
        await api.list(Node)
        server.tokens.revoke(server.admin_token)
        with pytest.raises(Unauthorized):
            await api.list(Node)
        token.write_text("")
        with pytest.raises(Unauthorized):
            await api.list(Node)
        token.write_text(server.tokens.issue(ADMIN))
        await api.list(Node)
        await transport.close()


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unknown field": ({"tokn": "x"}, {}, r"users\[0\]\.user\.tokn: no such field \(did you mean token\?\)"),
    "wrong type": ({"token": 7}, {}, r"users\[0\]\.user\.token: expected a string"),
    "no base64": ({"client-key-data": "%"}, {}, r"users\[0\]\.user\.client-key-data: is not base64"),
    "no key": ({"client-certificate-data": "YQ=="}, {}, "user 'u': client-key is missing"),
    "no certificate": (
        {"client-certificate-data": "YQ==", "client-key-data": "YQ=="},
        {},
        "user 'u': the client cert",
    ),
    "no file": ({"tokenFile": "none"}, {}, "user 'u': tokenFile: .*/none cannot be read: No such file"),
    "two kinds": ({"token": "a", "username": "b"}, {}, "exclude each other"),
    "auth provider": ({"auth-provider": {"name": "gcp"}}, {}, "auth-provider cannot be used"),
    "impersonation": ({"as": "root"}, {}, "as cannot be used"),
    "no URL": ({}, {"server": "here"}, "cluster 'k': server: 'here' is not an http:// or https:// URL"),
    "half an address": ({}, {"server": "https://[::1"}, r"server: 'https://\[::1' is not"),
    "a port of letters": ({}, {"server": "https://h:abc"}, "server: 'https://h:abc' is not"),
    "a port of many digits": ({}, {"server": "https://h:65536"}, "server: 'https://h:65536' is not"),
    "an empty label": ({}, {"server": "https://a..b"}, "server: 'https://a..b' is not"),
    "a space": ({}, {"server": "https://a/b c"}, "server: 'https://a/b c' is not"),
    "not ASCII": ({}, {"server": "https://a/\u00e4"}, "server: 'https://a/\u00e4' is not"),
    "a login": ({}, {"server": "https://me:secret@h"}, "server: a URL with a login cannot be used"),
    "the server's name": ({}, {"tls-server-name": ".x"}, "tls-server-name: '.x' is not the name of a host"),
    "a proxy's port": ({}, {"proxy-url": "http://me:secret@p:abc"}, "proxy-url: 'p:abc' is not"),
    "a path with NUL": ({"tokenFile": "a\0b"}, {}, "tokenFile: '.*' cannot be the path of a file"),
    "no authorities": ({}, {"certificate-authority": "none"}, "cluster 'k': certificate-authority: .*/none cannot be"),
    "contradiction": (
        {},
        {"insecure-skip-tls-verify": True, "certificate-authority-data": "YQ=="},
        "insecure-skip-tls-verify and a certificate authority exclude",
    ),
    "proxy": ({}, {"proxy-url": "socks5://p"}, "proxy-url: 'socks5://p' is not"),
    "exec version": ({"exec": {"command": "x", "apiVersion": "v1"}}, {}, "exec: apiVersion: 'v1' is not supported"),
    "exec asks": (
        {"exec": {"command": "x", "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Always"}},
        {},
        "interactiveMode: Always cannot work here",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_file(case: str, tmp_path: Path) -> None:
    user, cluster, message = WRONG[case]
    path = written(tmp_path, user, **cluster)
    with pytest.raises(PodwrightError, match=message) as caught:
        load(path, RUNNER)
    assert path in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config: line 2"),
        ("", "0 documents"),
        ("a: 1", "a: no such field"),
        ("current-context: x", "there is no context 'x'"),
        ("contexts: [{name: x, context: {cluster: k}}]\ncurrent-context: x", "context 'x': there is no cluster 'k'"),
        (
            "contexts: [{name: x, context: {cluster: k, user: z}}]\nclusters: [{name: k}]\ncurrent-context: x",
            "context 'x': there is no user 'z'",
        ),
    ],
)
def test_files_that_make_no_sense(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(InvalidArgument, match=message):
        load(str(tmp_path / "config"), RUNNER)
    with pytest.raises(PodwrightError, match="cannot be read"):
        load(str(tmp_path / "none"), RUNNER)
