"""Registry credentials."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from podwright.cli.credentials import RegistryLogin, find_login, parse_pair
from podwright.errors import InvalidArgument


def test_a_password_may_hold_colons() -> None:
    assert parse_pair("u:p:q\n", "x") == RegistryLogin(username="u", password="p:q")


@pytest.mark.parametrize("text", ["", "secret", ":secret"])
def test_a_bad_pair_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(InvalidArgument) as failure:
        parse_pair(text, "standard input")
    assert "secret" not in str(failure.value)


def test_secrets_do_not_show() -> None:
    assert "hidden" not in repr(RegistryLogin(username="u", password="hidden", identity_token="hidden"))


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("auths", "reference", "found"),
    [
        ({"r.io": auth("u:p")}, "r.io/a", RegistryLogin(username="u", password="p")),
        ({"https://index.docker.io/v1/": auth("u:p")}, "busybox", RegistryLogin(username="u", password="p")),
        ({"r.io": {"username": "u", "password": "p"}}, "r.io/a", RegistryLogin(username="u", password="p")),
        ({"r.io": {**auth("u:"), "identitytoken": "t"}}, "r.io/a", RegistryLogin(identity_token="t")),
        ({"r.io": auth("u:p")}, "s.io/a", None),
        ({"r.io": {}}, "r.io/a", None),
    ],
)
def test_login_files(auths: dict[str, object], reference: str, found: RegistryLogin | None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    assert find_login(reference, {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}) == found


def test_the_environment_goes_before_the_login_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"r.io": auth("file:p")}}))
    environ = {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
    assert find_login("r.io/a", environ) == RegistryLogin(username="file", password="p")
    assert find_login("r.io/a", {**environ, "PODWRIGHT_CREDS": "env:q"}) == RegistryLogin(username="env", password="q")
    assert find_login("s.io/a", environ) is None


def test_a_broken_login_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InvalidArgument, match=r"config\.json"):
        find_login("r.io/a", {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)})
