"""Which credentials fit an image, and in which order they are tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.agent.images.credentials import LoginFiles, Logins, credential_hash
from podwright.agent.images.references import parse_image
from podwright.errors import Unavailable
from podwright.k8s.objects import LocalObjectReference, Pod, Secret
from podwright.logins.docker_config import Credential
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.objects import FakeObjects
from tests.agent.fakes.pods import pod
from tests.agent.images.secrets import pull_secret


def with_secrets(*names: str) -> Pod:
    return pod(image_pull_secrets=tuple(LocalObjectReference(name=name) for name in names))


async def users(image: str, *secrets: Secret) -> list[str]:
    objects = FakeObjects()
    objects.secrets = {("default", secret.metadata.name): secret for secret in secrets}
    logins = Logins(objects, [], RecordedEvents())
    found = await logins.find(with_secrets(*(secret.metadata.name for secret in secrets)), parse_image(image))
    return [login.credentials.username for login in found]


@pytest.mark.parametrize(
    ("servers", "image", "expected"),
    [
        ({"a": "registry.example"}, "registry.example/app", ["a"]),
        ({"a": "registry.example"}, "other.example/app", []),
        ({"a": "https://registry.example/v2/"}, "registry.example/app", ["a"]),
        ({"a": "registry.example", "b": "registry.example/team"}, "registry.example/team/app", ["b", "a"]),
        ({"a": "registry.example", "b": "registry.example/team"}, "registry.example/teams/app", ["a"]),
        ({"a": "*.example"}, "registry.example/app", ["a"]),
        ({"a": "*.example"}, "deep.registry.example/app", []),
        ({"a": "registry.example:5000"}, "registry.example/app", []),
        ({"a": "https://index.docker.io/v1/"}, "busybox", ["a"]),
        ({"a": "docker.io"}, "user/app", ["a"]),
        ({"a": "docker.io"}, "registry.example/app", []),
    ],
)
async def test_matching(servers: dict[str, str], image: str, expected: list[str]) -> None:
    assert await users(image, pull_secret(**servers)) == expected


async def test_all_secrets_that_fit_are_tried_in_order() -> None:
    secrets = [pull_secret("one", a="registry.example"), pull_secret("two", b="registry.example")]
    assert await users("registry.example/app", *secrets) == ["a", "b"]


async def test_the_older_kind_of_secret() -> None:
    secret = Secret(
        metadata=pull_secret().metadata,
        type="kubernetes.io/dockercfg",
        data={".dockercfg": b'{"registry.example": {"auth": "YTpzZWNyZXQ="}}'},
    )
    assert await users("registry.example/app", secret) == ["a"]


async def test_secrets_that_cannot_be_had_are_named_and_others_count() -> None:
    events, objects = RecordedEvents(), FakeObjects()
    objects.secrets["default", "one"] = pull_secret("one", a="registry.example")
    logins = Logins(objects, [], events)
    found = await logins.find(with_secrets("none", "one"), parse_image("registry.example/app"))
    assert [login.credentials.username for login in found] == ["a"]
    ((_, reason, message),) = events.seen
    assert reason == "FailedToRetrieveImagePullSecret"
    assert "(none)" in message
    objects.down = Unavailable("away")
    assert await logins.find(with_secrets("one"), parse_image("registry.example/app")) == []


def auths(user: str) -> str:
    return json.dumps({"auths": {"registry.example": {"username": user, "password": "p"}}})


async def test_the_nodes_files_in_the_kubelets_order(tmp_path: Path) -> None:
    root, work, home = (tmp_path / name for name in ("root", "work", "home"))
    for directory in (root, work, home / ".docker"):
        directory.mkdir(parents=True)
    files = LoginFiles(str(root), home=str(home), working_directory=str(work))
    image = parse_image("registry.example/app")
    assert await files.find(pod(), image) == []
    (home / ".docker/config.json").write_text(auths("home"))
    (root / "config.json").write_text("{broken")
    assert [each.credential.username for each in await files.find(pod(), image)] == ["home"]
    (root / "config.json").write_text(auths("root"))
    assert [each.credential.username for each in await files.find(pod(), image)] == ["root"]


async def test_the_nodes_credentials_come_after_the_pods(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(auths("node"))
    objects = FakeObjects()
    objects.secrets["default", "one"] = pull_secret("one", a="registry.example")
    logins = Logins(objects, [LoginFiles(str(tmp_path))], RecordedEvents())
    found = await logins.find(with_secrets("one"), parse_image("registry.example/app"))
    assert [(login.credentials.username, login.secret is None) for login in found] == [("a", False), ("node", True)]
    assert "p" not in repr(found[0].credentials).replace("password", "").partition("username")[0]


def test_the_hash_is_of_gos_json() -> None:
    # echo -n '{"username":"u","password":"\u003cp\u0026"}' | sha256sum
    credential = Credential(host="h", username="u", password="<p&")
    assert credential_hash(credential) == "f14c2a3ebc20bd73b9aaec51c0192cb9b102930e709e648651a52fd1f959f53b"
