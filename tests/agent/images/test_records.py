"""Who may use an image that is there, and the files that remember it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.agent.images.accounts import AccountSource
from podwright.agent.images.credentials import Login, SecretSource
from podwright.agent.images.record_files import PullCredentials, PulledRecord, PullSecret, RecordFiles
from podwright.agent.images.records import (
    ALLOWLISTED,
    ALWAYS,
    NEVER,
    PRELOADED,
    PullCheck,
    PullRecords,
    merged,
    must_verify,
)
from podwright.agent.metrics.images import ImageMetrics
from podwright.agent.runtime.records import ImageStatus, RegistryCredentials
from tests.agent.fakes.time import START_NS, VirtualClock, run_virtual

IMAGE, REF = "registry.example/app:1", "sha256:abc"


def login(name: str = "s", *, credential_hash: str = "h", uid: str = "u") -> Login:
    source = SecretSource(uid=uid, namespace="default", name=name, credential_hash=credential_hash)
    return Login(credentials=RegistryCredentials(username=name), secret=source)


def records(directory: Path, policy: str = PRELOADED) -> PullRecords:
    return PullRecords(RecordFiles(str(directory)), VirtualClock(), policy=policy)


async def must_pull(kept: PullRecords, *logins: Login, image: str = IMAGE) -> bool:
    async def find() -> list[Login]:
        return list(logins)

    return await kept.must_pull(image, REF, find)


def pull(kept: PullRecords, used: Login | None, image: str = IMAGE) -> None:
    kept.begin(image)
    kept.succeeded(image, REF, used)


@pytest.mark.parametrize(
    ("policy", "image", "pulled_here", "verify"),
    [
        (NEVER, IMAGE, True, False),
        (ALWAYS, IMAGE, False, True),
        (PRELOADED, IMAGE, False, False),
        (PRELOADED, IMAGE, True, True),
        (ALLOWLISTED, IMAGE, False, False),
        (ALLOWLISTED, "registry.example/other", False, True),
        (ALLOWLISTED, "free.example/any/thing:2", True, False),
        (ALLOWLISTED, "free.example.org/any", True, True),
    ],
)
def test_policies(policy: str, image: str, pulled_here: bool, verify: bool) -> None:
    allowlist = ("registry.example/app", "free.example/*")
    assert must_verify(policy, allowlist, image, was_pulled_here=pulled_here) is verify


def test_an_image_that_was_there_before_is_for_everybody(tmp_path: Path) -> None:
    async def run() -> None:
        assert not await must_pull(records(tmp_path))
        assert await must_pull(records(tmp_path, ALWAYS))

    run_virtual(run())


def test_an_image_pulled_with_a_secret_is_for_pods_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        pull(records(tmp_path), login())
        kept = records(tmp_path)  # as after a restart
        assert await must_pull(kept)
        assert await must_pull(kept, login("other", uid="o", credential_hash="x"))
        assert not await must_pull(kept, login())
        assert not await must_pull(kept, login("copy", uid="c"))  # the same credentials
        assert not await must_pull(kept, login(credential_hash="new"))  # the secret was renewed
        assert not await must_pull(kept, login("later", uid="l", credential_hash="new"))
        assert await must_pull(kept, login(), image="registry.example/alias:1")

    run_virtual(run())


def account_login(name: str) -> Login:
    source = AccountSource(uid=f"uid-{name}", namespace="default", name=name)
    return Login(credentials=RegistryCredentials(username=name), account=source)


def test_an_image_pulled_with_a_token_is_for_pods_of_that_account(tmp_path: Path) -> None:
    async def run() -> None:
        kept = records(tmp_path)
        pull(kept, account_login("builder"))
        assert not await must_pull(kept, account_login("builder"))
        assert await must_pull(kept, account_login("other"))
        assert await must_pull(kept, login())
        pull(kept, login())
        [path] = (tmp_path / "image_manager/pulled").iterdir()
        mapping = json.loads(path.read_text())["credentialMapping"]["registry.example/app"]
        accounts = mapping["kubernetesServiceAccounts"]
        assert accounts == [{"uid": "uid-builder", "namespace": "default", "name": "builder"}]
        assert [each["name"] for each in mapping["kubernetesSecrets"]] == ["s"]
        again = records(tmp_path)  # a restarted agent
        assert not await must_pull(again, account_login("builder"))
        assert not await must_pull(again, login())
        assert await must_pull(again)

    run_virtual(run())


def test_checks_are_counted(tmp_path: Path) -> None:
    async def run() -> None:
        metrics = ImageMetrics()
        kept = PullRecords(RecordFiles(str(tmp_path)), VirtualClock(), metrics=metrics)
        await must_pull(kept)
        pull(kept, login())
        await must_pull(kept)
        await must_pull(kept, login())
        counts = {check.value: metrics.must_pull_checks.value(check.value) for check in PullCheck}
        assert counts == {
            "credentialPolicyAllowed": 1,
            "mustAuthenticate": 1,
            "credentialRecordFound": 1,
            "error": 0,
        }

    run_virtual(run())


def test_an_image_pulled_without_credentials_is_for_everybody(tmp_path: Path) -> None:
    async def run() -> None:
        pull(records(tmp_path), login())
        pull(records(tmp_path), None)
        assert not await must_pull(records(tmp_path))

    run_virtual(run())


def test_a_pull_under_way_or_interrupted_makes_an_image_ours(tmp_path: Path) -> None:
    async def run() -> None:
        kept = records(tmp_path)
        kept.begin(IMAGE)
        assert await must_pull(kept)
        assert await must_pull(records(tmp_path))
        kept.begin(IMAGE)
        kept.failed(IMAGE)
        assert await must_pull(kept)
        kept.failed(IMAGE)
        assert not await must_pull(kept)

    run_virtual(run())


def test_a_pull_that_an_agents_death_interrupted_is_recorded_when_it_has_succeeded(tmp_path: Path) -> None:
    async def run() -> None:
        kept = records(tmp_path)
        kept.begin(IMAGE)
        kept.begin("registry.example/lost:1")
        kept = records(tmp_path)
        kept.recover([ImageStatus(id=REF, tags=(IMAGE,))])
        assert [*RecordFiles(str(tmp_path)).intents()] == ["registry.example/lost:1"]
        assert await must_pull(kept, login())

    run_virtual(run())


def test_the_files_are_the_kubelets(tmp_path: Path) -> None:
    async def run() -> None:
        kept = records(tmp_path)
        kept.begin(IMAGE)
        (intent,) = (tmp_path / "image_manager/pulling").iterdir()
        # echo -n registry.example/app:1 | sha256sum
        assert intent.name == "sha256-44026dc25579621c90d4ca974081985b6ef1ff7a58eb059c31ccd8368c6f55f3"
        assert intent.read_bytes() == (
            b'{"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"registry.example/app:1"}\n'
        )
        kept.succeeded(IMAGE, REF, login())
        assert not intent.exists()
        (pulled,) = (tmp_path / "image_manager/pulled").iterdir()
        assert json.loads(pulled.read_bytes()) == {
            "kind": "ImagePulledRecord",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "lastUpdatedTime": "2023-11-14T22:13:20Z",
            "imageRef": REF,
            "credentialMapping": {
                "registry.example/app": {
                    "kubernetesSecrets": [
                        {"uid": "u", "namespace": "default", "name": "s", "credentialHash": "h"},
                    ]
                }
            },
        }
        assert pulled.stat().st_mode & 0o777 == 0o600

    run_virtual(run())


def test_a_broken_record_has_the_image_pulled_again(tmp_path: Path) -> None:
    async def run() -> None:
        kept = records(tmp_path)
        pull(kept, login())
        (pulled,) = (tmp_path / "image_manager/pulled").iterdir()
        pulled.write_text("{")
        assert await must_pull(kept, login())
        pull(kept, login())
        assert not await must_pull(kept, login())

    run_virtual(run())


def test_records_of_images_that_are_gone_are_removed(tmp_path: Path) -> None:
    async def run() -> None:
        kept = records(tmp_path)
        pull(kept, login())
        later = 2 * START_NS
        kept.retain([REF], later)
        assert len(list((tmp_path / "image_manager/pulled").iterdir())) == 1
        kept.retain([], 0)
        assert len(list((tmp_path / "image_manager/pulled").iterdir())) == 1
        kept.retain([], later)
        assert list((tmp_path / "image_manager/pulled").iterdir()) == []

    run_virtual(run())


def record(**mapping: PullCredentials) -> PulledRecord:
    return PulledRecord(kind="", api_version="", last_updated_time="", image_ref=REF, credential_mapping=mapping)


def secret(name: str, credential_hash: str = "h") -> PullSecret:
    return PullSecret(uid="u", namespace="n", name=name, credential_hash=credential_hash)


def test_merging() -> None:
    one, two = PullCredentials(kubernetes_secrets=(secret("a"),)), PullCredentials(kubernetes_secrets=(secret("b"),))
    everybody = PullCredentials(node_pods_accessible=True)
    both = PullCredentials(kubernetes_secrets=(secret("a"), secret("b")))
    assert merged(None, "app", None) == {}
    assert merged(None, "app", one) == {"app": one}
    assert merged(record(app=one), "app", None) is None
    assert merged(record(app=one), "app", one) is None
    assert merged(record(app=two), "app", one) == {"app": both}
    assert merged(record(app=one), "other", two) == {"app": one, "other": two}
    assert merged(record(app=one), "app", everybody) == {"app": everybody}
    assert merged(record(app=everybody), "app", one) is None
    renewed = PullCredentials(kubernetes_secrets=(secret("a", "new"),))
    assert merged(record(app=one), "app", renewed) == {"app": renewed}
