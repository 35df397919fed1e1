from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition
from podwright.logins import helper
from podwright.logins.docker_config import Credential
from podwright.process import PosixProcessRunner


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`docker-credential-x` in our PATH; its lines come from the file `script`."""
    program = tmp_path / "docker-credential-x"
    program.write_text(f'#!/bin/sh\nread server\n. "{tmp_path}/script"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "script"


async def _ask(host: str = "q.io", timeout_s: float = 20.0) -> Credential | None:
    return await helper.ask(PosixProcessRunner(), "x", host, timeout_s)


async def test_a_password_and_a_token(write: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_HELPER", "its own")
    write.write_text(
        """printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}' "$server" "$server" "$OF_THE_HELPER" """
    )
    assert await _ask() == Credential(host="q.io", username="q.io", password="its own")
    found = await _ask("docker.io")
    assert found is not None
    assert found.username == "https://index.docker.io/v1/"
    write.write_text("""echo '{"Username":"<token>","Secret":"identity"}'""")
    assert await _ask() == Credential(host="q.io", identity_token="identity")


async def test_nothing_known(write: Path) -> None:
    write.write_text("echo credentials not found in native keychain; exit 1")
    assert await _ask() is None
    write.write_text("echo '{}'")
    assert await _ask() is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo hush; echo hush >&2; exit 3", "docker-credential-x has failed with exit code 3"),
        ("echo hush", "something other than its protocol"),
        ('echo \'{"Username": 3, "Secret": "hush"}\'', "something other than its protocol"),
    ],
)
async def test_failures_do_not_show_secrets(write: Path, script: str, why: str) -> None:
    write.write_text(script)
    with pytest.raises(FailedPrecondition, match=why) as refusal:
        await _ask()
    assert "hush" not in str(refusal.value)


async def test_a_helper_that_hangs(write: Path) -> None:
    write.write_text("sleep 3600")
    with pytest.raises(FailedPrecondition, match="docker-credential-x does not run"):
        await _ask(timeout_s=0.2)


async def test_a_helper_that_is_not_there() -> None:
    with pytest.raises(FailedPrecondition, match="docker-credential-nobody is not installed"):
        await helper.ask(PosixProcessRunner(), "nobody", "q.io", 1.0)
