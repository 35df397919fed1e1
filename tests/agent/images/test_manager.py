"""Pull policies, events, back-offs, queues and credentials, on virtual time with the fake runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from podwright.agent.images.credentials import Logins
from podwright.agent.images.limits import PullLimits
from podwright.agent.images.manager import ImageManager
from podwright.agent.images.pulling import Puller
from podwright.agent.images.record_files import RecordFiles
from podwright.agent.images.records import PullRecords
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import ImageStatus, RegistryCredentials
from podwright.agent.workers.ports import Images
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PermissionDenied, PodwrightError, Unavailable, Unknown
from podwright.k8s.objects import ImageVolumeSource, LocalObjectReference, Pod, Volume
from tests.agent.fakes.configs import sandbox_config
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.objects import FakeObjects
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.images.secrets import pull_secret

IMAGE = "registry.example/app:1"


class GuardedRuntime(FakeRuntime):
    """Pulls are for these users alone, when there are any."""

    users: frozenset[str] = frozenset()
    parallel = 0
    most_parallel = 0

    async def pull(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        user = credentials.username if credentials is not None else ""
        self.calls.append(("pull as", user))
        if self.users and user not in self.users:
            raise PermissionDenied(f"pull access denied for {user or 'nobody'}")
        self.parallel += 1
        self.most_parallel = max(self.parallel, self.most_parallel)
        try:
            return await super().pull(reference, credentials, sandbox_config)
        finally:
            self.parallel -= 1


class Scene:
    """An image manager over a fake runtime, which can pull IMAGE."""

    def __init__(self, *, parallel: int | None = 1, qps: float = 5, root: Path | None = None) -> None:
        self.clock = VirtualClock()
        self.runtime = GuardedRuntime(self.clock)
        self.runtime.pullable[IMAGE] = ImageStatus(id="sha256:app", tags=(IMAGE,), size_bytes=1000)
        self.events = RecordedEvents()
        self.objects = FakeObjects()
        self.records = PullRecords(RecordFiles(str(root)), self.clock) if root is not None else None
        limits = PullLimits(self.clock, parallel=parallel, qps=qps)
        self.puller = Puller(self.runtime, limits, self.records, self.clock, KeyedBackoff())
        logins = Logins(self.objects, [], self.events)
        self.manager: Images = ImageManager(self.runtime, self.puller, logins, self.records, self.events, self.clock)

    async def ensure(self, policy: str = "IfNotPresent", *, image: str = IMAGE, of: Pod | None = None) -> str:
        wanted = container(image=image, image_pull_policy=policy)
        return (await self.manager.ensure(of or pod(), wanted, sandbox_config(), "")).reference

    async def failure(self, policy: str = "IfNotPresent", **fields: str) -> ContainerFailure:
        with pytest.raises(ContainerFailure) as raised:
            await self.ensure(policy, **fields)  # type: ignore[arg-type]
        return raised.value

    def have(self, name: str = IMAGE) -> None:
        self.runtime.images_by_name[name] = ImageStatus(id="sha256:app", tags=(name,))


def with_scene(check: Callable[[Scene], Awaitable[None]], **options: object) -> None:
    async def run() -> None:
        await check(Scene(**options))  # type: ignore[arg-type]

    run_virtual(run())


@pytest.mark.parametrize(
    ("policy", "present", "pulls", "reasons"),
    [
        ("IfNotPresent", True, 0, ["Pulled"]),
        ("IfNotPresent", False, 1, ["Pulling", "Pulled"]),
        ("Always", True, 1, ["Pulling", "Pulled"]),
        ("Never", True, 0, ["Pulled"]),
        ("", True, 0, ["Pulled"]),
    ],
)
def test_policies(policy: str, present: bool, pulls: int, reasons: list[str]) -> None:
    async def check(scene: Scene) -> None:
        if present:
            scene.have()
        assert await scene.ensure(policy) == "sha256:app"
        assert scene.runtime.count("pull") == pulls
        assert scene.events.reasons() == reasons

    with_scene(check)


def test_never_and_absent() -> None:
    async def check(scene: Scene) -> None:
        failure = await scene.failure("Never")
        assert failure.reason == "ErrImageNeverPull"
        assert str(failure) == f'Container image "{IMAGE}" is not present with pull policy of Never'
        assert scene.events.reasons() == ["ErrImageNeverPull", "Failed"]
        assert scene.events.seen[-1][2] == "Error: ErrImageNeverPull"

    with_scene(check)


def test_the_default_tag_is_what_the_runtime_is_asked_for() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.pullable["busybox:latest"] = ImageStatus(id="sha256:busybox")
        assert await scene.ensure("", image="busybox") == "sha256:busybox"
        assert ("pull", "busybox:latest") in scene.runtime.calls

    with_scene(check)


def test_a_name_that_is_none() -> None:
    async def check(scene: Scene) -> None:
        failure = await scene.failure(image="Not A Name")
        assert failure.reason == "InvalidImageName"
        assert scene.events.reasons() == ["InspectFailed", "Failed"]

    with_scene(check)


def test_a_runtime_that_cannot_look() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.failures["image"] = [Unavailable("away")]
        assert (await scene.failure()).reason == "ImageInspectError"

    with_scene(check)


def test_the_texts_of_a_pull() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.pull_s = 1.5
        await scene.ensure()
        messages = [message for _, _, message in scene.events.seen]
        assert messages[0] == f'Pulling image "{IMAGE}"'
        assert messages[1] == (
            f'Successfully pulled image "{IMAGE}" in 1.5s (1.5s including waiting). Image size: 1000 bytes.'
        )

    with_scene(check)


def test_failures_wait_longer_each_time() -> None:
    async def check(scene: Scene) -> None:
        image = scene.runtime.pullable.pop(IMAGE)
        waits = []
        for _ in range(7):
            failure = await scene.failure()
            assert failure.reason == "ErrImagePull"
            waiting = await scene.failure()
            assert waiting.reason == "ImagePullBackOff"
            assert str(waiting).startswith(f'Back-off pulling image "{IMAGE}": ErrImagePull: image {IMAGE} does not')
            assert waiting.until_ns is not None
            assert waiting.until_ns == failure.until_ns
            waits.append((waiting.until_ns - scene.clock.now_ns()) / 1e9)
            await asyncio.sleep(waits[-1] + 0.1)
        assert [round(wait) for wait in waits] == [10, 20, 40, 80, 160, 300, 300]
        assert scene.events.reasons()[:6] == ["Pulling", "Failed", "Failed", "BackOff", "Failed", "Pulling"]
        scene.runtime.pullable[IMAGE] = image
        await scene.ensure()

    with_scene(check)


def test_the_wait_is_of_a_pod_and_an_image() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.pullable.clear()
        await scene.failure()
        assert (await scene.failure(of=pod("other"))).reason == "ErrImagePull"  # type: ignore[arg-type]
        assert (await scene.failure()).reason == "ImagePullBackOff"

    with_scene(check)


@pytest.mark.parametrize(
    ("failure", "reason", "message"),
    [
        (
            Unknown("RegistryUnavailable: connection refused"),
            "RegistryUnavailable",
            f"image pull failed for {IMAGE} because the registry is unavailable: connection refused",
        ),
        (
            Unknown("SignatureValidationFailed: no key"),
            "SignatureValidationFailed",
            f"image pull failed for {IMAGE} because the signature validation failed: no key",
        ),
        (Unavailable("away"), "ErrImagePull", "away"),
    ],
)
def test_sentinels(failure: PodwrightError, reason: str, message: str) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.failures["pull"] = [failure]
        failed = await scene.failure()
        assert (failed.reason, str(failed)) == (reason, message)

    with_scene(check)


async def pull_at_once(scene: Scene, count: int) -> list[object]:
    pulls = (scene.ensure("Always", of=pod(f"pod{number}")) for number in range(count))
    return await asyncio.gather(*pulls, return_exceptions=True)


@pytest.mark.parametrize(("parallel", "most", "took_s"), [(1, 1, 6), (3, 3, 2), (None, 6, 1)])
def test_how_many_pulls_run_at_once(parallel: int | None, most: int, took_s: int) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.pull_s = 1
        began = scene.clock.monotonic()
        assert await pull_at_once(scene, 6) == ["sha256:app"] * 6
        assert scene.runtime.most_parallel == most
        assert round(scene.clock.monotonic() - began) == took_s

    with_scene(check, parallel=parallel)


def test_more_pulls_than_the_rate_fail_at_once() -> None:
    async def check(scene: Scene) -> None:
        outcomes = await pull_at_once(scene, 12)
        failed = [outcome for outcome in outcomes if isinstance(outcome, ContainerFailure)]
        assert [str(failure) for failure in failed] == ["pull QPS exceeded"] * 2
        await asyncio.sleep(1)
        assert await scene.ensure("Always", of=pod("late")) == "sha256:app"

    with_scene(check, parallel=None)


def guarded(scene: Scene, *names: str) -> Pod:
    for name in names:
        scene.objects.secrets["default", name] = pull_secret(name, **{name: "registry.example"})
    return pod("-".join(("web", *names)), image_pull_secrets=tuple(LocalObjectReference(name=name) for name in names))


def test_each_of_the_credentials_is_tried() -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.users = frozenset({"right"})
        await scene.ensure(of=guarded(scene, "wrong", "right", "spare"))
        assert [of for method, of in scene.runtime.calls if method == "pull as"] == ["wrong", "right"]
        await scene.failure("Always", of=guarded(scene, "wrong"))  # type: ignore[arg-type]
        failure = await scene.failure("Always")
        assert str(failure) == "pull access denied for nobody"

    with_scene(check)


def test_what_one_pods_secret_has_pulled_is_not_for_others(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.users = frozenset({"right"})
        owner = guarded(scene, "right")
        await scene.ensure(of=owner)
        await scene.ensure(of=owner)
        assert scene.runtime.count("pull") == 1
        assert scene.events.seen[-1][2] == (
            f'Container image "{IMAGE}" already present on machine and can be accessed by the pod'
        )
        assert (await scene.failure()).reason == "ErrImagePull"
        assert (await scene.failure("Never", of=pod("other"))).reason == "ErrImageNeverPull"  # type: ignore[arg-type]
        assert list((tmp_path / "image_manager/pulling").iterdir()) == []

    with_scene(check, root=tmp_path)


def test_a_cancelled_pull_leaves_no_trace(tmp_path: Path) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.pull_s = 100
        task = asyncio.create_task(scene.ensure())
        await asyncio.sleep(1)
        assert len(list((tmp_path / "image_manager/pulling").iterdir())) == 1
        task.cancel()
        await asyncio.wait([task])
        assert list((tmp_path / "image_manager/pulling").iterdir()) == []
        scene.runtime.pull_s = 0
        await scene.ensure()

    with_scene(check, root=tmp_path)


def test_images_of_volumes() -> None:
    async def check(scene: Scene) -> None:
        volumes = (
            Volume(name="data", image=ImageVolumeSource(reference=IMAGE, pull_policy="IfNotPresent")),
            Volume(name="none", image=ImageVolumeSource(reference="registry.example/none:1", pull_policy="Always")),
            Volume(name="other"),
        )
        failures = await scene.manager.ensure_volumes(pod(volumes=volumes), sandbox_config(), "")
        assert {name: failure.reason for name, failure in failures.items()} == {"none": "ErrImagePull"}
        assert IMAGE in scene.runtime.images_by_name
        assert await scene.manager.ensure_volumes(pod(volumes=volumes[:1]), sandbox_config(), "") == {}

    with_scene(check)
