"""The passes of a pod on a runtime in memory: what is started and ended, in which order, and what failures do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.allocation.resizes import make_resizes
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.pods.failures import BackOff, NetworkNotReady
from podwright.agent.pods.reasons import CREATE_CONTAINER_CONFIG_ERROR, ContainerFailure
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.runtime.records import CriContainerState, ExecResult, ObservedPod
from podwright.agent.volumes.failures import AttachLimitExceeded
from podwright.agent.workers.pod_syncer import PodSyncer
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.starting import link_name
from podwright.agent.workers.syncer import SyncResult
from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    PodwrightError,
    Unavailable,
)
from podwright.k8s.objects import (
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    ExecAction,
    HTTPGetAction,
    ImageVolumeSource,
    Lifecycle,
    LifecycleHandler,
    Pod,
    PodStatus,
    SleepAction,
    Volume,
    VolumeMount,
)
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.ports import (
    NODE_ADDRESS,
    FakeCgroups,
    FakeClaims,
    FakeConfigs,
    FakeHttp,
    FakeImages,
    FakeProbes,
    FakeStatuses,
    FakeVolumes,
    NoMirrors,
    NoObjects,
    NoUsers,
)
from tests.agent.fakes.runtime import FakeRuntime, Program
from tests.agent.fakes.time import VirtualClock, run_virtual


class Scene:
    """A syncer on a fake runtime."""

    def __init__(self, directory: Path) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.events = RecordedEvents()
        self.statuses = FakeStatuses()
        self.images, self.volumes = FakeImages(), FakeVolumes()
        self.cgroups, self.probes = FakeCgroups(), FakeProbes()
        self.configs = FakeConfigs(str(directory / "logs"))
        self.cache = StatusCache(self.runtime, self.clock, lambda _: None)
        self.network_problem = ""
        self.links = directory / "links"
        self.http = FakeHttp("")
        self.metrics = KubeletMetrics()
        self.resizes = make_resizes(str(directory), [], lambda _: None, self.events, self.clock, self.metrics.resizes)
        self.claims = FakeClaims(self.runtime)
        ports = SyncerPorts(
            runtime=self.runtime,
            looks=self.cache,
            statuses=self.statuses,
            probes=self.probes,
            images=self.images,
            configs=self.configs,
            volumes=self.volumes,
            cgroups=self.cgroups,
            objects=NoObjects(),
            users=NoUsers(),
            resizes=self.resizes,
            mirrors=NoMirrors(),
            claims=self.claims,
            http=self.http,
            events=self.events,
            clock=self.clock,
            network_problem=lambda: self.network_problem,
            handler_of=lambda _: "",
            root=str(directory / "root"),
            links_directory=str(self.links),
            metrics=self.metrics,
        )
        self.syncer = PodSyncer(ports, Restarts(KeyedBackoff(), self.events, self.clock))

    async def sync(self, of: Pod) -> SyncResult:
        return await self.syncer.sync_pod(of, None, await self.cache.look(of.metadata.uid))

    async def settle(self, of: Pod, passes: int = 5) -> None:
        """Passes until there is nothing to do."""
        for _ in range(passes):
            if not (await self.sync(of)).acted:
                return

    async def terminate(self, of: Pod, grace_s: int = 30) -> None:
        await self.syncer.sync_terminating_pod(of, await self.cache.look(of.metadata.uid), grace_s, None)

    def asked(self, *methods: str) -> list[tuple[str, str]]:
        return [call for call in self.runtime.calls if call[0] in methods]


InScene = Callable[[Callable[[Scene], Awaitable[None]]], None]


@pytest.fixture
def in_scene(tmp_path: Path) -> InScene:
    def run(check: Callable[[Scene], Awaitable[None]]) -> None:
        async def within() -> None:
            await check(Scene(tmp_path))

        run_virtual(within())

    return run


def test_a_new_pod_starts_in_one_pass(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        web = pod(containers=(container("a"), container("b")))
        assert (await scene.sync(web)).acted
        assert scene.runtime.running_names() == ["a", "b"]
        assert scene.asked("run_sandbox", "create_container", "start_container") == [
            ("run_sandbox", "web"),
            ("create_container", "a"),
            ("start_container", "a"),
            ("create_container", "b"),
            ("start_container", "b"),
        ]
        assert scene.cgroups.made == {"uid-web"}
        assert scene.probes.added == {"uid-web"}
        assert scene.events.reasons() == ["Created", "Started", "Created", "Started"]
        assert not (await scene.sync(web)).acted

    in_scene(check)


def test_the_status_shows_the_sandbox_before_images_are_pulled(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        web = pod()
        pulls = asyncio.Event()

        async def ensure_volumes(pod: Pod, sandbox_config: Any, handler: str) -> dict[str, ContainerFailure]:
            assert scene.statuses.ready_to_start == ["uid-web"]
            pulls.set()
            return {}

        scene.images.ensure_volumes = ensure_volumes  # type: ignore[method-assign]
        await scene.settle(web)
        assert pulls.is_set()
        assert scene.statuses.ready_to_start == ["uid-web"]  # once, with the sandbox

    in_scene(check)


def test_init_containers_run_one_after_another(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        for name in ("i1", "i2"):
            scene.runtime.programs[name] = [Program(runs_s=1)]
        web = pod(init_containers=(container("i1"), container("i2")))
        for _ in range(4):
            await scene.sync(web)
            await asyncio.sleep(1.5)
        assert [name for _, name in scene.asked("start_container")] == ["i1", "i2", "main"]
        assert scene.runtime.running_names() == ["main"]

    in_scene(check)


def test_a_sidecar_runs_beside_and_ends_last(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        side = container("side", restart_policy="Always")
        web = pod(init_containers=(side,), containers=(container("a"), container("b")))
        await scene.settle(web)
        assert scene.runtime.running_names() == ["a", "b", "side"]
        scene.runtime.calls.clear()
        await scene.terminate(web)
        assert [name for _, name in scene.asked("stop_container")][-1] == "side"
        assert scene.runtime.running_names() == []

    in_scene(check)


def test_a_pod_that_is_done_is_taken_down(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(runs_s=1)]
        job = pod(restart_policy="Never")
        await scene.sync(job)
        await asyncio.sleep(2)
        scene.runtime.calls.clear()
        await scene.sync(job)
        assert len(scene.asked("stop_sandbox")) == 1
        assert scene.asked("create_container") == []

    in_scene(check)


def test_a_lost_sandbox_is_replaced(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        web = pod(init_containers=(container("i1"),))
        scene.runtime.programs["i1"] = [Program(runs_s=1)]
        await scene.sync(web)
        await asyncio.sleep(2)
        await scene.settle(web)
        scene.runtime.lose_sandbox("uid-web")
        await scene.sync(web)
        await asyncio.sleep(12)
        await scene.settle(web)
        assert scene.runtime.running_names() == ["main"]
        assert "SandboxChanged" in scene.events.reasons()
        seen = await scene.cache.look("uid-web")
        assert seen.sandboxes[0].attempt == 1
        assert [status.restart_count for status in seen.instances("i1")] == [1]  # older ones are gone

    in_scene(check)


def test_a_crash_waits_longer_each_time(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(runs_s=1, exit_code=1)]
        web = pod()
        starts: list[float] = []
        said: set[str] = set()
        for _ in range(20000):
            try:
                if (await scene.sync(web)).acted:
                    starts.append(asyncio.get_running_loop().time())
            except BackOff as wait:
                assert scene.statuses.failures["main"].reason == "CrashLoopBackOff"
                said.add(scene.statuses.failures["main"].message.partition(" restarting")[0])
                await asyncio.sleep(max(wait.seconds(scene.clock.now_ns()), 0.01))
            else:
                await asyncio.sleep(1.01)
            if len(starts) == 9:
                break
        waits = [round(later - earlier - 1) for earlier, later in itertools.pairwise(starts)]
        assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
        assert said == {f"back-off {wait}" for wait in ("10s", "20s", "40s", "1m20s", "2m40s", "5m0s")}  # as Go's

    in_scene(check)


def test_a_failed_start_is_the_status_and_stops_no_other_container(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.images.failures["a"] = ContainerFailure("a", "ErrImagePull", "no such image")
        with pytest.raises(Internal, match="container a: ErrImagePull: no such image"):
            await scene.sync(pod(containers=(container("a"), container("b"))))
        assert scene.runtime.running_names() == ["b"]
        assert scene.statuses.failures["a"].reason == "ErrImagePull"

    in_scene(check)


def test_a_missing_image_volume_stops_only_the_containers_that_mount_it(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.images.failures["data"] = ContainerFailure("", "ImagePullBackOff", "no such image", until_ns=7)
        volumes = (Volume(name="data", image=ImageVolumeSource(reference="registry.example/none")),)
        user = container("a", volume_mounts=(VolumeMount(name="data", mount_path="/data"),))
        with pytest.raises(BackOff, match="container a: ImagePullBackOff: no such image"):
            await scene.sync(pod(containers=(user, container("b")), volumes=volumes))
        assert scene.runtime.running_names() == ["b"]
        failure = scene.statuses.failures["a"]
        assert (failure.container, failure.reason, failure.until_ns) == ("a", "ImagePullBackOff", 7)

    in_scene(check)


@pytest.mark.parametrize(
    ("host_users", "refused", "started", "failed"),
    [
        (None, "run_sandbox", 0, 0),
        (True, "run_sandbox", 0, 0),
        (False, "run_sandbox", 1, 1),
        (False, "create_container", 1, 1),
        (False, "start_container", 1, 1),
        (False, "", 1, 0),
    ],
)
def test_pods_with_user_namespaces_are_counted(
    in_scene: InScene, host_users: bool | None, refused: str, started: int, failed: int
) -> None:
    """Most failures of a user namespace show when a container is created."""

    async def check(scene: Scene) -> None:
        if refused:
            scene.runtime.failures[refused] = [Internal("no addresses")]
            with pytest.raises(Internal, match="no addresses"):
                await scene.sync(pod(host_users=host_users))
        else:
            await scene.sync(pod(host_users=host_users))
        lines = exposition(scene.metrics.families()).decode().splitlines()
        assert f"kubelet_started_user_namespaced_pods_total {started}" in lines
        assert f"kubelet_started_user_namespaced_pods_errors_total {failed}" in lines
        assert f"kubelet_started_pods_errors_total {int(refused == 'run_sandbox')}" in lines

    in_scene(check)


def test_nothing_starts_after_an_init_container_that_cannot(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.images.failures["i1"] = ContainerFailure("i1", "ErrImagePull", "no such image")
        with pytest.raises(Internal):
            await scene.sync(pod(init_containers=(container("i1"),)))
        assert scene.runtime.running_names() == []

    in_scene(check)


@pytest.mark.parametrize(
    ("method", "reason"), [("create_container", "CreateContainerError"), ("start_container", "RunContainerError")]
)
def test_what_the_runtime_refuses_is_a_reason(in_scene: InScene, method: str, reason: str) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.failures[method] = [Internal("refused")]
        with pytest.raises(Internal):
            await scene.sync(pod())
        assert scene.statuses.failures["main"].reason == reason
        assert "Failed" in scene.events.reasons()

    in_scene(check)


def hooked(name: str = "main", **hooks: Any) -> Container:
    return container(name, lifecycle=Lifecycle(**hooks))


EXEC = LifecycleHandler(exec=ExecAction(command=("do", "it")))


def test_a_post_start_hook_comes_before_the_next_container(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        await scene.sync(pod(containers=(hooked("a", post_start=EXEC), container("b"))))
        order = scene.asked("start_container", "exec_sync")
        assert order == [("start_container", "a"), ("exec_sync", "a"), ("start_container", "b")]

    in_scene(check)


def test_a_container_whose_post_start_hook_fails_is_ended(in_scene: InScene) -> None:
    async def fail(name: str, command: list[str]) -> ExecResult:
        return ExecResult(exit_code=3, stderr=b"it broke")

    async def check(scene: Scene) -> None:
        scene.runtime.exec_handler = fail
        with pytest.raises(Internal, match=r"PostStartHookError.*it broke"):
            await scene.sync(pod(containers=(hooked(post_start=EXEC),)))
        assert scene.runtime.running_names() == []
        assert scene.events.reasons() == ["Created", "Started", "FailedPostStartHook", "Killing"]
        assert ("web", "FailedPostStartHook", "PostStartHook failed") in scene.events.seen  # without what it wrote

    in_scene(check)


HTTP = LifecycleHandler(http_get=HTTPGetAction(port=80, path="/stop"))


@pytest.mark.parametrize(("host_network", "address"), [(False, "10.0.0.1"), (True, NODE_ADDRESS)])
def test_a_hook_over_http_asks_the_pods_address_or_its_nodes(
    in_scene: InScene, host_network: bool, address: str
) -> None:
    async def check(scene: Scene) -> None:
        web = pod(containers=(hooked(post_start=HTTP, pre_stop=HTTP),), host_network=host_network)
        await scene.sync(web)
        await scene.terminate(web)
        assert scene.http.asked == [address, address]
        assert "LifecycleHTTPFallback" not in scene.events.reasons()

    in_scene(check)


def test_a_hook_that_falls_back_to_http_is_an_event(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.http.outcome = "10.0.0.1:80"
        await scene.sync(pod(containers=(hooked(post_start=HTTP),)))
        assert scene.events.reasons() == ["Created", "Started", "LifecycleHTTPFallback"]
        assert scene.metrics.hooks.http_fallbacks.value() == 1
        assert scene.events.seen[-1][2] == (
            "request to HTTPS lifecycle hook 10.0.0.1:80 got HTTP response, retry with HTTP succeeded"
        )

    in_scene(check)


def test_a_pre_stop_hook_counts_against_the_grace(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(stops_s=None)]
        web = pod(containers=(hooked(pre_stop=LifecycleHandler(sleep=SleepAction(seconds=4))),))
        await scene.sync(web)
        began = asyncio.get_running_loop().time()
        await scene.terminate(web, grace_s=10)
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
        assert scene.runtime.container("main").exit_code == 137

    in_scene(check)


def test_a_pre_stop_hook_that_takes_too_long_is_given_up(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        web = pod(containers=(hooked(pre_stop=LifecycleHandler(sleep=SleepAction(seconds=400))),))
        await scene.sync(web)
        began = asyncio.get_running_loop().time()
        await scene.terminate(web, grace_s=10)
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=2.1)

    in_scene(check)


def test_a_pre_stop_program_that_takes_too_long_ends_with_its_container(
    in_scene: InScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(scene: Scene) -> None:
        ended: list[tuple[float, list[str]]] = []

        async def endless(container_id: str, command: list[str], timeout_s: int) -> ExecResult:
            try:
                await asyncio.sleep(1e6)
            finally:
                ended.append((asyncio.get_running_loop().time(), scene.runtime.running_names()))
            raise AssertionError

        monkeypatch.setattr(scene.runtime, "exec_sync", endless)
        scene.runtime.programs["main"] = [Program(stops_s=None)]
        web = pod(containers=(hooked(pre_stop=LifecycleHandler(exec=ExecAction(command=("wait",)))),))
        await scene.sync(web)
        began = asyncio.get_running_loop().time()
        await scene.terminate(web, grace_s=10)
        ((at, running),) = ended
        assert at - began == pytest.approx(12, abs=0.1)  # the grace, and the least that every stop gets
        assert running == []

    in_scene(check)


def test_the_end_of_a_pod_is_seen_with_its_sandbox(in_scene: InScene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(scene: Scene) -> None:
        web = pod()
        await scene.sync(web)
        stop, build = scene.runtime.stop_sandbox, scene.statuses.build
        seen: list[bool] = []

        async def look_and_stop(sandbox_id: str) -> None:
            await scene.cache.look("uid-web")  # as a relist does that comes between
            await stop(sandbox_id)

        async def note(of: Pod, observed: ObservedPod, *, is_terminal: bool = False) -> PodStatus:
            if is_terminal:
                seen.append(bool(observed.ready_sandboxes()))
            return await build(of, observed, is_terminal=is_terminal)

        monkeypatch.setattr(scene.runtime, "stop_sandbox", look_and_stop)
        monkeypatch.setattr(scene.statuses, "build", note)
        await scene.terminate(web)
        assert seen == [False]

    in_scene(check)


def test_a_container_that_is_not_alive_is_restarted(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        await scene.sync(pod())
        scene.probes.findings["container2", ProbeKind.LIVENESS] = ProbeResult.FAILURE
        assert scene.runtime.container("main").id == "container2"
        await scene.sync(pod())
        assert scene.runtime.container("main").restart_count == 1
        assert scene.runtime.running_names() == ["main"]
        killing = [message for _, reason, message in scene.events.seen if reason == "Killing"]
        assert killing == ["Container main failed liveness probe, will be restarted"]

    in_scene(check)


def test_a_network_that_is_not_ready_stops_only_pods_that_need_it(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.network_problem = "no CNI configuration"
        with pytest.raises(NetworkNotReady):
            await scene.sync(pod())
        await scene.sync(pod("host", host_network=True))
        assert scene.runtime.running_names() == ["main"]
        assert scene.events.reasons("web") == ["NetworkNotReady"]

    in_scene(check)


@pytest.mark.parametrize(
    "failure",
    [DeadlineExceeded("context deadline exceeded"), FailedPrecondition("they are being removed")],
    ids=["the wait's limit", "the pod ends"],
)
def test_a_wait_for_volumes_that_is_over_is_no_event(in_scene: InScene, failure: PodwrightError) -> None:
    """As in the kubelet's SyncPod: what could not be set up had an event of its own each time."""

    async def check(scene: Scene) -> None:
        scene.volumes.failure = failure
        with pytest.raises(type(failure)):
            await scene.sync(pod())
        assert scene.events.reasons() == []

    in_scene(check)


def test_a_volume_that_is_one_too_many_refuses_the_pod(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.volumes.failure = AttachLimitExceeded("the node is full")
        result = await scene.sync(pod())
        assert result.is_terminal
        assert scene.statuses.refused == {"uid-web"}
        assert scene.events.seen == [("web", "VolumeAttachmentLimitExceeded", "the node is full")]
        assert scene.metrics.admission.refusals.value("VolumeAttachmentLimitExceeded") == 1
        assert scene.asked("run_sandbox") == []

    in_scene(check)


def test_a_container_that_cannot_be_configured_has_one_event(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        problem = 'configmap "c" not found'
        scene.configs.failures["main"] = ContainerFailure("main", CREATE_CONTAINER_CONFIG_ERROR, problem)
        with pytest.raises(Internal, match=CREATE_CONTAINER_CONFIG_ERROR):
            await scene.sync(pod())
        assert scene.events.seen == [("web", "Failed", f"Error: {problem}")]
        assert scene.metrics.starts.container_errors.value("container", CREATE_CONTAINER_CONFIG_ERROR) == 1

    in_scene(check)


@pytest.mark.parametrize(("room", "reason"), [("volumes", "FailedMount"), ("cgroups", "FailedCreatePodContainer")])
def test_what_a_pod_waits_for_is_an_event(in_scene: InScene, room: str, reason: str) -> None:
    async def check(scene: Scene) -> None:
        getattr(scene, room).failure = Internal("not now")
        with pytest.raises(Internal):
            await scene.sync(pod())
        assert scene.events.reasons() == [reason]
        assert scene.asked("run_sandbox") == []

    in_scene(check)


def test_a_sandbox_that_cannot_be_made_is_an_event(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.runtime.failures["run_sandbox"] = [Internal("no addresses")]
        with pytest.raises(Internal, match="no addresses"):
            await scene.sync(pod())
        assert scene.events.reasons() == ["FailedCreatePodSandBox"]

    in_scene(check)


def test_a_sandbox_that_cannot_be_described_is_an_event(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.configs.sandbox_failure = InvalidArgument("the FQDN is too long")
        with pytest.raises(Internal, match="FQDN"):
            await scene.sync(pod())
        assert scene.events.reasons() == ["FailedCreatePodSandBox"]
        assert scene.asked("run_sandbox") == []

    in_scene(check)


def test_a_pod_whose_cgroup_has_gone_starts_anew(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        await scene.sync(pod())
        scene.cgroups.made.clear()
        await scene.sync(pod())
        await scene.settle(pod())
        assert scene.cgroups.made == {"uid-web"}
        assert scene.runtime.running_names() == ["main"]
        assert len(scene.asked("run_sandbox")) == 2

    in_scene(check)


def test_a_terminal_phase_ends_the_sync(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.statuses.phase = "Failed"
        assert (await scene.sync(pod())).is_terminal
        assert scene.asked("run_sandbox") == []

    in_scene(check)


def test_what_cannot_be_stopped_is_tried_again(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        await scene.sync(pod())
        scene.runtime.failures["stop_container"] = [Internal("stuck")]
        scene.runtime.failures["stop_sandbox"] = [Internal("stuck too")]
        with pytest.raises(PodwrightError, match="stuck"):
            await scene.terminate(pod())
        await scene.terminate(pod())
        assert scene.runtime.running_names() == []

    in_scene(check)


def test_the_end_releases_everything(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        await scene.sync(pod())
        await scene.terminate(pod())
        await scene.syncer.sync_terminated_pod(pod(), await scene.cache.look("uid-web"))
        assert scene.volumes.released == ["uid-web"]
        assert scene.cgroups.made == set()
        assert scene.statuses.terminated == ["uid-web"]
        assert scene.statuses.published[-1].phase == "Succeeded"

    in_scene(check)


def test_all_containers_restart_in_the_same_sandbox(in_scene: InScene) -> None:
    codes = ContainerRestartRuleOnExitCodes(operator="In", values=(7,))
    rule = ContainerRestartRule(action="RestartAllContainers", exit_codes=codes)
    first = container("a", restart_policy="Never", restart_policy_rules=(rule,))

    async def check(scene: Scene) -> None:
        scene.runtime.programs["a"] = [Program(runs_s=1, exit_code=7), Program()]
        web = pod(containers=(first, container("b")))
        await scene.sync(web)
        scene.runtime.programs["a"] = [Program()]
        await asyncio.sleep(2)
        await scene.settle(web)
        assert scene.runtime.running_names() == ["a", "b"]
        assert len(scene.asked("run_sandbox")) == 1
        assert {status.state for status in (await scene.cache.look("uid-web")).containers} == {
            CriContainerState.RUNNING
        }

    in_scene(check)


def test_a_log_has_a_link_that_names_its_pod(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        logs = Path(scene.configs.log_directory(pod()), "main")
        logs.mkdir(parents=True)
        (logs / "0.log").write_text("")
        (logs / "4.log.20260101-000000").write_text("")
        (logs / "5.log").write_text("")
        await scene.sync(pod())
        assert scene.runtime.container("main").restart_count == 6
        (link,) = scene.links.iterdir()
        assert link.name == f"web_default_main-{scene.runtime.container('main').id}.log"
        assert link.readlink() == logs / "6.log"

    in_scene(check)


def test_a_link_s_name_is_a_file_s_name_at_most() -> None:
    name = link_name(pod("w" * 253), "c" * 63, "f" * 64)
    assert len(name) == 255
    assert name.endswith(f"-{'f' * 64}.log")


def test_claims_are_prepared_before_the_sandbox_and_undone_after_the_containers(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        web = pod()
        scene.claims.failure = Unavailable("DRA driver d is not registered")
        with pytest.raises(Internal, match="prepare dynamic resources: DRA driver d is not registered"):
            await scene.sync(web)
        assert scene.events.reasons() == ["FailedPrepareDynamicResources"]
        assert scene.asked("run_sandbox") == []
        scene.claims.failure = None
        await scene.settle(web)
        assert scene.claims.calls == ["prepare: 0 run", "prepare: 0 run"]
        scene.claims.failure = Unavailable("DRA driver d is not registered")
        with pytest.raises(Unavailable):
            await scene.terminate(web)
        scene.claims.failure = None
        await scene.terminate(web)
        assert scene.claims.calls[2:] == ["unprepare: 0 run", "unprepare: 0 run"]

    in_scene(check)
