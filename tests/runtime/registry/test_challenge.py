from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.runtime.model.image import RegistryAuth
from podwright.runtime.registry import challenge
from podwright.runtime.registry.challenge import Challenge, ServerCredentials

BEARER = 'Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull"'


def test_one_bearer() -> None:
    (found,) = challenge.parse([BEARER])
    assert found.scheme == "bearer"
    assert found.parameters == {
        "realm": "https://auth.example/token",
        "service": "reg",
        "scope": "repository:a:pull",
    }


@pytest.mark.parametrize(
    "headers",
    [
        ['Basic realm="x"', BEARER],
        [f'Basic realm="x", {BEARER}'],
        [f'Negotiate, Basic realm="x",{BEARER}'],
        ["Digest", "basic", BEARER],
    ],
)
def test_bearer_is_preferred_wherever_it_stands(headers: list[str]) -> None:
    best = challenge.preferred(challenge.parse(headers))
    assert best is not None
    assert best.parameters["realm"] == "https://auth.example/token"


def test_quotes_commas_and_escapes() -> None:
    (found,) = challenge.parse([r'Basic Realm = "a, b=\"c\"" , charset=UTF-8'])
    assert found == Challenge(scheme="basic", parameters={"realm": 'a, b="c"', "charset": "UTF-8"})


def test_nothing_usable() -> None:
    assert challenge.preferred(challenge.parse(["Negotiate", "Bearer service=x", ""])) is None


@given(st.text(max_size=200))
def test_any_header_can_be_read(text: str) -> None:
    challenge.parse([text])


def test_scopes_are_sorted_and_told_once() -> None:
    asked = Challenge(scheme="bearer", parameters={"scope": "repository:b:pull repository:a:pull"})
    assert challenge.scopes(asked, "b") == ["repository:a:pull", "repository:b:pull"]


AUTH = base64.b64encode(b"me:secret:x\0\0").decode()


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, ServerCredentials()),
        (RegistryAuth(username="me", password="pw"), ServerCredentials(username="me", secret="pw")),
        (RegistryAuth(auth=AUTH), ServerCredentials(username="me", secret="secret:x")),
        (RegistryAuth(identity_token="refresh", auth=AUTH), ServerCredentials(secret="refresh")),
        (RegistryAuth(registry_token="token"), ServerCredentials(bearer="token")),
        (RegistryAuth(username="me", password="pw", server_address="https://other.example"), ServerCredentials()),
        (
            RegistryAuth(username="me", password="pw", server_address="https://reg.example/v1/"),
            ServerCredentials(username="me", secret="pw"),
        ),
        (
            RegistryAuth(username="me", password="pw", server_address="reg.example"),
            ServerCredentials(username="me", secret="pw"),
        ),
    ],
)
def test_credentials(auth: RegistryAuth | None, expected: ServerCredentials) -> None:
    assert challenge.credentials_for(auth, "reg.example") == expected


def test_docker_hub_has_many_names() -> None:
    auth = RegistryAuth(username="me", password="pw", server_address="https://index.docker.io/v1/")
    assert challenge.credentials_for(auth, "docker.io").username == "me"


@pytest.mark.parametrize("auth", ["not base64!", "ü", base64.b64encode(b"nocolon").decode()])
def test_unreadable_credentials_are_not_shown(auth: str) -> None:
    with pytest.raises(InvalidArgument) as failure:
        challenge.credentials_for(RegistryAuth(auth=auth), "reg.example")
    assert auth not in str(failure.value)


def test_secrets_have_no_repr() -> None:
    shown = repr(RegistryAuth(username="me", password="pw")) + repr(ServerCredentials(username="me", secret="pw"))
    assert "pw" not in shown
