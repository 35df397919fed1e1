"""Credential providers: real programs, their answers, and how long those are kept."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.images.accounts import AccountSource, NoAccounts
from podwright.agent.images.credentials import NodeLogin
from podwright.agent.images.provider_config import Provider, TokenRules, read_providers
from podwright.agent.images.providers import CredentialProviders
from podwright.agent.images.references import parse_image
from podwright.errors import InvalidArgument, NotFound, Unavailable
from podwright.k8s.objects import ObjectMeta, Pod, ServiceAccount
from podwright.process import PosixProcessRunner
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import VirtualClock

V1 = "credentialprovider.kubelet.k8s.io/v1"
PROGRAM = """\
#!{python}
import json, os, sys, time
with open({log!r}, "a") as log:
    log.write(json.dumps([json.load(sys.stdin), sys.argv[1:], os.environ.get("WHERE", "")]) + "\\n")
time.sleep({sleeps})
print({answer!r})
sys.exit({code})
"""


class Accounts:
    """One service account, `builder`."""

    def __init__(self) -> None:
        self.annotations = {"team": "a", "region": "x"}
        self.token = "token-1"

    async def account(self, namespace: str, name: str) -> ServiceAccount:
        if name != "builder":
            raise NotFound(f"no service account {name}")
        metadata = ObjectMeta(name=name, namespace=namespace, uid="uid-sa", annotations=self.annotations)
        return ServiceAccount(metadata=metadata)

    async def account_token(self, pod: Pod, audience: str) -> str:
        return f"{self.token} for {audience}"


RULES = TokenRules(audience="registry", is_required=True, required=("team",), optional=("region", "none"))


class Scene:
    """One provider in a folder."""

    def __init__(
        self, directory: Path, *, default_cache_s: float = 0, tokens: TokenRules | None = None, **answer: Any
    ) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.clock = VirtualClock()
        self.answer: dict[str, Any] = {
            "kind": "CredentialProviderResponse",
            "apiVersion": V1,
            "cacheKeyType": "Image",
            "auth": {"*.example": {"username": "u", "password": "p"}},
            **answer,
        }
        provider = Provider(
            name="tool",
            api_version=V1,
            match_images=("*.example", "other.test/team"),
            default_cache_s=default_cache_s,
            args=("get",),
            env={"WHERE": "here"},
        )
        self.write()
        self.accounts = Accounts()
        provider = replace(provider, tokens=tokens)
        runner = PosixProcessRunner()
        self.providers = CredentialProviders([provider], str(directory), runner, self.clock, self.accounts)

    def write(self, *, code: int = 0, sleeps: float = 0, text: str | None = None) -> None:
        answer = json.dumps(self.answer) if text is None else text
        program = self.directory / "tool"
        program.write_text(
            PROGRAM.format(python=sys.executable, log=str(self.log), answer=answer, code=code, sleeps=sleeps)
        )
        program.chmod(0o755)

    async def users(self, image: str) -> list[str]:
        return [login.credential.username for login in await self.logins(pod(), image)]

    async def logins(self, of: Pod, image: str = "registry.example/app") -> list[NodeLogin]:
        return await self.providers.find(of, parse_image(image))

    @property
    def asked(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line)[0]["image"] for line in lines]


async def test_the_protocol(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert await scene.users("registry.example/app:1") == ["u"]
    request, args, where = json.loads(scene.log.read_text())
    assert request == {"kind": "CredentialProviderRequest", "apiVersion": V1, "image": "registry.example/app"}
    assert (args, where) == (["get"], "here")


async def test_images_that_do_not_match_ask_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert await scene.users("busybox") == []
    assert await scene.users("other.test/else/app") == []
    assert scene.asked == []
    assert await scene.users("other.test/team/app") == []  # asked, and what it answered is for others
    assert scene.asked == ["other.test/team/app"]


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("Image", ["a.example/one", "a.example/two", "b.example/one"]),
        ("Registry", ["a.example/one", "b.example/one"]),
        ("Global", ["a.example/one"]),
    ],
)
async def test_answers_are_kept_by_what_they_say(tmp_path: Path, key: str, asked: list[str]) -> None:
    scene = Scene(tmp_path, cacheKeyType=key, cacheDuration="1h0m0s")
    for image in ("a.example/one:1", "a.example/one:2", "a.example/two", "b.example/one"):
        assert await scene.users(image) == ["u"]
    assert scene.asked == asked


async def test_answers_are_kept_for_as_long_as_they_say(tmp_path: Path) -> None:
    scene = Scene(tmp_path, default_cache_s=3600, cacheDuration="0s")
    await scene.users("a.example/one")
    await scene.users("a.example/one")
    assert len(scene.asked) == 2
    del scene.answer["cacheDuration"]
    scene.write()
    await scene.users("a.example/one")
    await scene.users("a.example/one")
    assert len(scene.asked) == 3


async def test_one_question_for_pulls_at_the_same_time(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.write(sleeps=0.2)
    assert await asyncio.gather(*(scene.users("a.example/one") for _ in range(5))) == [["u"]] * 5
    assert len(scene.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"code": 1},
        {"text": "no JSON"},
        {"text": json.dumps({"kind": "Pod", "apiVersion": "v1", "cacheKeyType": "Image"})},
        {"text": json.dumps({"kind": "CredentialProviderResponse", "apiVersion": V1, "cacheKeyType": "Never"})},
    ],
    ids=["exit code", "no JSON", "another kind", "unknown cache key"],
)
async def test_a_provider_that_fails_gives_nothing(
    tmp_path: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(tmp_path)
    scene.write(**change)
    assert await scene.users("a.example/one") == []
    assert "a credential provider has failed" in caplog.text


CONFIG = """\
kind: CredentialProviderConfig
apiVersion: kubelet.config.k8s.io/v1
providers:
- name: tool
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  matchImages: ["*.example"]
  defaultCacheDuration: 12h
  args: [get]
  env: [{name: A, value: b}]
"""


def test_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (provider,) = read_providers(str(tmp_path / "config.yaml"), str(tmp_path))
    assert provider == Provider(
        name="tool", api_version=V1, match_images=("*.example",), default_cache_s=43200, args=("get",), env={"A": "b"}
    )
    assert read_providers(str(tmp_path), str(tmp_path)) == [provider]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: tool", "name: none", "none is not there"),
        ("name: tool", "name: ../tool", "must be a file's name"),
        ('["*.example"]', "[]", "matchImages is empty"),
        ("12h", "-1h", "defaultCacheDuration is negative"),
        ("12h", "soon", "'soon' is not a duration"),
        ("credentialprovider.kubelet.k8s.io/v1", "v1", "apiVersion 'v1' is not one of"),
        ("kind: Cred", "kind: Pred", "PredentialProviderConfig"),
        ("args: [get]", "argv: [get]", "argv"),
        ("providers:", "providers: [", "cannot read credential providers"),
    ],
)
def test_configurations_that_cannot_work(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "config.yaml").write_text(CONFIG.replace(old, new))
    with pytest.raises(InvalidArgument, match=message) as failure:
        read_providers(str(tmp_path / "config.yaml"), str(tmp_path))
    assert "config.yaml" in str(failure.value)


async def test_a_provider_that_works_with_service_accounts(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tokens=RULES)
    [login] = await scene.logins(pod(service_account_name="builder"))
    assert login.account == AccountSource(uid="uid-sa", namespace="default", name="builder")
    request, _, _ = json.loads(scene.log.read_text())
    assert request["serviceAccountToken"] == "token-1 for registry"
    assert request["serviceAccountAnnotations"] == {"team": "a", "region": "x"}


@pytest.mark.parametrize(
    ("of", "tokens", "asked"),
    [
        (pod(), RULES, 0),
        (pod(), replace(RULES, is_required=False, required=()), 1),
        (pod(service_account_name="builder"), replace(RULES, required=("absent",)), 0),
        (pod(service_account_name="nobody"), RULES, 0),
    ],
    ids=["no account", "none needed", "no annotation", "an account that is not there"],
)
async def test_whom_a_provider_is_asked_for(tmp_path: Path, of: Pod, tokens: TokenRules, asked: int) -> None:
    scene = Scene(tmp_path, tokens=tokens)
    logins = await scene.logins(of)
    assert (len(logins), len(scene.asked)) == (asked, asked)
    assert all(login.account is None for login in logins)
    assert "serviceAccountToken" not in (scene.log.read_text() if asked else "")


@pytest.mark.parametrize(("per_token", "questions"), [(False, 1), (True, 2)])
async def test_answers_are_kept_for_an_account_or_a_token(tmp_path: Path, per_token: bool, questions: int) -> None:
    scene = Scene(tmp_path, tokens=replace(RULES, keeps_per_token=per_token), default_cache_s=60)
    of = pod(service_account_name="builder")
    await scene.logins(of)
    await scene.logins(of)
    scene.accounts.token = "token-2"
    await scene.logins(of)
    assert len(scene.asked) == questions
    scene.accounts.annotations = {"team": "b"}
    await scene.logins(of)
    assert len(scene.asked) == questions + 1


@pytest.mark.parametrize(("per_token", "found"), [(False, 0), (True, 1)])
async def test_a_token_is_a_password_only_for_itself(tmp_path: Path, per_token: bool, found: int) -> None:
    auth = {"*.example": {"username": "u", "password": "token-1 for registry"}}
    scene = Scene(tmp_path, tokens=replace(RULES, keeps_per_token=per_token), auth=auth)
    assert len(await scene.logins(pod(service_account_name="builder"))) == found


async def test_without_an_api_server_there_are_no_accounts() -> None:
    with pytest.raises(Unavailable, match="needs an API server"):
        await NoAccounts().account("default", "builder")
    with pytest.raises(Unavailable, match="needs an API server"):
        await NoAccounts().account_token(pod(service_account_name="builder"), "registry")


TOKENS = """\
  tokenAttributes:
    serviceAccountTokenAudience: registry
    cacheType: Token
    requireServiceAccount: true
    requiredServiceAccountAnnotationKeys: [example.com/team]
    optionalServiceAccountAnnotationKeys: [region]
"""


def test_the_configuration_of_tokens(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "config.yaml").write_text(CONFIG + TOKENS)
    (provider,) = read_providers(str(tmp_path / "config.yaml"), str(tmp_path))
    assert provider.tokens == TokenRules(
        audience="registry",
        is_required=True,
        required=("example.com/team",),
        optional=("region",),
        keeps_per_token=True,
    )
    with pytest.raises(InvalidArgument, match="has tokenAttributes"):
        read_providers(str(tmp_path / "config.yaml"), str(tmp_path), allows_tokens=False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("serviceAccountTokenAudience: registry", "", "serviceAccountTokenAudience is missing"),
        ("requireServiceAccount: true", "", "requireServiceAccount is missing"),
        ("requireServiceAccount: true", "requireServiceAccount: false", "needs requireServiceAccount: true"),
        ("cacheType: Token", "cacheType: Pod", "cacheType must be ServiceAccount or Token"),
        ("[region]", "[example.com/team]", "named twice: example.com/team"),
        ("[region]", "[a b]", "a b"),
        (V1, f"{V1}beta1", "tokenAttributes needs apiVersion"),
        ("cacheType", "cacheKind", "cacheKind"),
    ],
)
def test_tokens_that_cannot_work(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "config.yaml").write_text((CONFIG + TOKENS).replace(old, new))
    with pytest.raises(InvalidArgument, match=message):
        read_providers(str(tmp_path / "config.yaml"), str(tmp_path))
