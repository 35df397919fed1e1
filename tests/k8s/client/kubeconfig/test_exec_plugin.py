"""Credential plug-ins: real programs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import FailedPrecondition
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Identity
from podwright.k8s.client.failures import Unauthorized
from podwright.k8s.client.kubeconfig import exec_plugin
from podwright.k8s.client.kubeconfig.connection import load
from podwright.k8s.client.kubeconfig.exec_plugin import ExecCredentials
from podwright.k8s.client.kubeconfig.model import ExecConfig
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import Node
from podwright.process import PosixProcessRunner
from tests.harness.apiserver.server import ADMIN, running
from tests.k8s.client.kubeconfig.test_connection import authorities, written

V1 = "client.authentication.k8s.io/v1"


def credential(**status: str) -> str:
    return json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": status})


def program(folder: Path, text: str) -> str:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def counting(folder: Path, output: str) -> str:
    (folder / "output").write_text(output)
    return program(folder, f"echo run >>{folder}/runs\ncat {folder}/output")


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def plugin(command: str, **settings: Any) -> ExecCredentials:
    config = ExecConfig(command=command, api_version=V1, install_hint="install it", **settings)
    return ExecCredentials(config, None, "kubeconfig k: user 'u': exec", PosixProcessRunner())


async def test_a_token_is_kept_until_it_expires(tmp_path: Path) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    asked = plugin(counting(tmp_path, credential(token="t", expirationTimestamp=end.isoformat())))
    assert await asked.identity() == Identity(headers={"Authorization": "Bearer t"})
    await asked.identity()
    assert runs(tmp_path) == 1
    (tmp_path / "output").write_text(credential(token="u", expirationTimestamp="2020-01-01T00:00:00Z"))
    assert asked.refused(await asked.identity())
    assert (await asked.identity()).headers == {"Authorization": "Bearer u"}
    await asked.identity()
    assert runs(tmp_path) == 3


async def test_it_learns_what_it_may_know(tmp_path: Path) -> None:
    command = program(
        tmp_path, f'echo "$KUBERNETES_EXEC_INFO" >{tmp_path}/info; echo "$EXTRA $1" >{tmp_path}/env; exit 1'
    )
    user = {
        "exec": {
            "command": "./plugin",
            "args": ["-x"],
            "env": [{"name": "EXTRA", "value": "e"}],
            "apiVersion": V1,
            "provideClusterInfo": True,
        }
    }
    assert os.path.dirname(command) == str(tmp_path)
    connection = load(written(tmp_path, user, **{"tls-server-name": "k"}), PosixProcessRunner())
    with pytest.raises(FailedPrecondition, match="exit code 1"):
        await connection.credentials.identity()
    info = json.loads((tmp_path / "info").read_text())
    assert info["apiVersion"] == V1
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://127.0.0.1:1", "tls-server-name": "k"}}
    assert (tmp_path / "env").read_text() == "e -x\n"


async def test_a_server_that_refuses_has_the_program_asked_again(tmp_path: Path) -> None:
    async with running() as server:
        command = counting(tmp_path, credential(token="old"))
        user = {"exec": {"command": command, "apiVersion": V1}}
        connection = load(written(tmp_path, user, **authorities(server)), PosixProcessRunner())
        transport = Transport(connection.endpoint, connection.credentials)
        api = ApiClient(transport)
        with pytest.raises(Unauthorized):
            await api.list(Node)
        (tmp_path / "output").write_text(credential(token=server.admin_token))
        await api.list(Node)
        await transport.close()


async def test_a_certificate_from_a_program(tmp_path: Path) -> None:
    async with running() as server:
        issued = server.authority.issue(ADMIN)
        output = credential(clientCertificateData=issued.certificate.decode(), clientKeyData=issued.key.decode())
        user = {"exec": {"command": counting(tmp_path, output), "apiVersion": V1}}
        connection = load(written(tmp_path, user, **authorities(server)), PosixProcessRunner())
        transport = Transport(connection.endpoint, connection.credentials)
        await ApiClient(transport).list(Node)
        await transport.close()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("secret", "its output is not an ExecCredential"),
        ("{}", "did not give an ExecCredential of"),
        (credential(), "neither a token nor a certificate"),
        (credential(clientCertificateData="c"), "without its key"),
        (credential(token="t", expirationTimestamp="soon"), "expirationTimestamp"),
        (credential(token="t", expirationTimestamp="9999-12-31T23:59:59-23:00"), "expirationTimestamp"),
    ],
)
async def test_output_that_cannot_be_used_is_not_shown(output: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=message) as caught:
        await plugin(counting(tmp_path, output)).identity()
    assert "secret" not in str(caught.value)


async def test_a_program_that_is_not_there_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailedPrecondition, match=r"there is no such program \(install it\)"):
        await plugin("no-such-program").identity()
    monkeypatch.setattr(exec_plugin, "TIMEOUT_S", 0.2)
    with pytest.raises(FailedPrecondition, match="gave no credentials within"):
        await plugin(program(tmp_path, "sleep 60")).identity()
