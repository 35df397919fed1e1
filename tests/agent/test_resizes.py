"""Resizes of pods through the whole engine, on a runtime in memory and on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.admission.chain import Refusal
from podwright.agent.allocation.feasibility import ResizeRules
from podwright.agent.pods.resources import pod_requests
from podwright.errors import Internal
from podwright.k8s.objects import ContainerResizePolicy, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.runtime import Program
from tests.agent.fakes.time import run_virtual
from tests.agent.test_engine import Scene

Check = Callable[[Scene], Awaitable[None]]
NODE_CPUS = 4


@pytest.fixture
def in_scene(tmp_path: Path) -> Callable[[Check], None]:
    """Runs a check on an engine whose node has 4 CPUs."""

    def run(check: Check) -> None:
        async def within() -> None:
            scene = Scene(tmp_path)
            scene.resize_checks.append(has_room)
            await scene.restart()
            try:
                await check(scene)
            finally:
                await scene.engine.close()

        run_virtual(within())

    return run


InScene = Callable[[Check], None]


def has_room(pod: Pod, others: Sequence[Pod]) -> Refusal | None:
    """Stands for the node's predicates."""
    wanted = sum(pod_requests(each.spec)["cpu"].milli for each in (pod, *others))
    return Refusal(reason="OutOfcpu", message="no room") if wanted > NODE_CPUS * 1000 else None


def sized(
    name: str = "web", *, cpu: str = "1", memory: str = "64Mi", generation: int = 1, restart: str = "", **fields: Any
) -> Pod:
    """A guaranteed pod."""
    amounts = {"cpu": cpu, "memory": memory}
    policy = (ContainerResizePolicy(resource_name=restart, restart_policy="RestartContainer"),) if restart else ()
    resources = ResourceRequirements(requests=amounts, limits=amounts)
    of = pod(name, source="file", containers=(container(resources=resources, resize_policy=policy),), **fields)
    return replace(of, metadata=replace(of.metadata, generation=generation))


def conditions(scene: Scene, uid: str = "uid-web") -> list[tuple[str, str]]:
    return [(each.type, each.reason) for each in scene.resizes.conditions.of(uid)]


def told(scene: Scene, name: str = "main") -> tuple[str, str]:
    """CPU and memory that the runtime was told for a container of the pod `web`."""
    known = scene.resizes.actuated.get("uid-web")
    assert known is not None
    limits = known.containers[name].limits
    return limits["cpu"], limits["memory"]


def test_a_resize_goes_from_the_spec_to_the_runtime(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(sized())
        await asyncio.sleep(2)
        scene.runtime.calls.clear()
        scene.file.put(sized(cpu="2", memory="128Mi", generation=2))
        await asyncio.sleep(2)
        assert told(scene) == ("2", "128Mi")
        assert scene.events.reasons("web")[-2:] == ["ResizeStarted", "ResizeCompleted"]
        assert conditions(scene) == []
        done = [method for method, _ in scene.runtime.calls if method.startswith("update")]
        # Memory of pod, then container; the quota of the pod, its shares, then the container.
        assert done == ["update_sandbox", "update_container", "update_sandbox", "update_sandbox", "update_container"]
        resources = scene.runtime.container("main").resources
        assert resources is not None
        assert (resources.memory_limit_bytes, resources.cpu_quota_us) == (128 << 20, 200_000)
        assert scene.cgroups.limits["uid-web"].memory_bytes == 128 << 20
        await asyncio.sleep(120)
        assert done == [method for method, _ in scene.runtime.calls if method.startswith("update")]

    in_scene(check)


def test_a_policy_makes_the_container_anew(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(sized(restart="memory"))
        await asyncio.sleep(2)
        scene.runtime.calls.clear()
        scene.file.put(sized(memory="128Mi", restart="memory", generation=2))
        await asyncio.sleep(20)
        assert told(scene) == ("1", "128Mi")
        assert scene.runtime.container("main").restart_count == 1
        assert scene.runtime.count("update_container") == 0
        assert scene.cgroups.limits["uid-web"].memory_bytes == 128 << 20
        made = [method for method, _ in scene.runtime.calls if method in ("update_sandbox", "create_container")]
        assert made == ["update_sandbox", "create_container"]  # the pod has room before the container needs it
        assert scene.events.reasons("web")[-1] == "ResizeCompleted"

    in_scene(check)


def test_resizes_wait_for_room_and_go_by_priority(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        low, high = sized("low"), sized("web", priority=9)
        scene.file.put(low, high, sized("other", cpu="2"))
        await asyncio.sleep(2)
        wants = [sized("low", cpu="3", generation=2), sized("web", cpu="3", generation=2, priority=9)]
        scene.file.put(*wants, sized("other", cpu="2"))
        await asyncio.sleep(2)
        assert conditions(scene) == conditions(scene, "uid-low") == [("PodResizePending", "Deferred")]
        assert told(scene) == ("1", "64Mi")
        assert scene.events.reasons("web")[-1] == "ResizeDeferred"
        scene.file.put(*wants)  # the other pod goes
        await asyncio.sleep(10)
        assert told(scene) == ("3", "64Mi")
        assert conditions(scene, "uid-low") == [("PodResizePending", "Deferred")]
        scene.file.put(wants[1], sized("low", generation=3))  # the one that waits gives up
        await asyncio.sleep(2)
        assert conditions(scene, "uid-low") == []

    in_scene(check)


def test_a_resize_that_waits_is_tried_now_and_then(in_scene: InScene) -> None:
    full = [Refusal(reason="OutOfcpu", message="no room")]

    def is_full(pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        return full[0] if full else None

    async def check(scene: Scene) -> None:
        scene.resize_checks.append(is_full)
        await scene.restart()
        scene.file.put(sized())
        await asyncio.sleep(2)
        scene.file.put(sized(cpu="2", generation=2))
        await asyncio.sleep(100)
        assert conditions(scene) == [("PodResizePending", "Deferred")]
        full.clear()
        await asyncio.sleep(100)
        assert told(scene) == ("2", "64Mi")

    in_scene(check)


def test_a_resize_that_can_never_be_is_not_tried_again(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.rules = ResizeRules(cpu_policy="static")
        await scene.restart()
        scene.file.put(sized())
        await asyncio.sleep(2)
        scene.file.put(sized(cpu="2", generation=2))
        await asyncio.sleep(400)
        assert conditions(scene) == [("PodResizePending", "Infeasible")]
        assert scene.events.reasons("web").count("ResizeInfeasible") == 1
        assert told(scene) == ("1", "64Mi")

    in_scene(check)


def test_memory_in_use_is_not_taken_away(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(sized(memory="64Mi"))
        await asyncio.sleep(2)
        scene.runtime.memory_used["main"] = 40 << 20
        scene.file.put(sized(memory="32Mi", generation=2))
        await asyncio.sleep(30)
        assert conditions(scene) == [("PodResizeInProgress", "Error")]
        assert "below current usage" in scene.resizes.conditions.of("uid-web")[0].message
        assert scene.events.reasons("web").count("ResizeError") == 1
        assert scene.runtime.count("update_container") == 0
        scene.runtime.memory_used["main"] = 10 << 20
        await asyncio.sleep(30)
        assert told(scene) == ("1", "32Mi")
        assert conditions(scene) == []
        assert scene.runtime.container("main").restart_count == 0

    in_scene(check)


def test_a_step_that_fails_is_done_again_and_nothing_twice(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(sized())
        await asyncio.sleep(2)
        scene.runtime.failures["update_container"] = [Internal("busy")]
        scene.file.put(sized(cpu="2", memory="128Mi", generation=2))
        await asyncio.sleep(1)
        assert conditions(scene) == [("PodResizeInProgress", "Error")]
        await asyncio.sleep(30)
        assert told(scene) == ("2", "128Mi")
        assert scene.runtime.count("update_container") == 3  # one failed
        assert scene.events.reasons("web")[-2:] == ["ResizeError", "ResizeCompleted"]

    in_scene(check)


def test_what_was_allocated_outlives_the_agent(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        pods = [sized(), sized("other", cpu="3")]
        scene.file.put(*pods)
        await asyncio.sleep(2)
        pods[0] = sized(cpu="2", generation=2)
        scene.file.put(*pods)
        await asyncio.sleep(2)
        await scene.restart()
        scene.file.put(*pods)  # admitted as allocated: there is no room for what the spec wants
        await asyncio.sleep(5)
        assert told(scene) == ("1", "64Mi")
        await asyncio.sleep(30)  # before all pods are known, nobody knows what is free
        assert conditions(scene) == [("PodResizePending", "Deferred")]
        assert scene.runtime.count("update_container") == 0
        assert scene.statuses.refused == set()
        scene.file.put(pods[0])
        await asyncio.sleep(10)
        assert told(scene) == ("2", "64Mi")
        assert scene.runtime.container("main", "uid-web").restart_count == 0

    in_scene(check)


def test_a_container_that_starts_again_has_its_new_size(in_scene: InScene) -> None:
    """It does not run when the resize is allocated: nothing has to be done then."""

    async def check(scene: Scene) -> None:
        scene.runtime.programs["main"] = [Program(runs_s=5, exit_code=1)] * 2 + [Program()]
        scene.file.put(sized())
        await asyncio.sleep(6)
        scene.file.put(sized(cpu="2", generation=2))
        await asyncio.sleep(60)
        assert told(scene) == ("2", "64Mi")

    in_scene(check)


def test_nothing_is_kept_of_pods_that_are_gone(in_scene: InScene) -> None:
    async def check(scene: Scene) -> None:
        scene.file.put(sized())
        await asyncio.sleep(2)
        scene.file.put()
        await asyncio.sleep(10)
        for dead in await scene.runtime.containers():
            await scene.runtime.remove_container(dead.id)
        for sandbox in await scene.runtime.sandboxes():
            await scene.runtime.remove_sandbox(sandbox.id)
        await asyncio.sleep(10)
        assert scene.resizes.actuated.get("uid-web") is None
        assert scene.resizes.allocated.get("uid-web") is None

    in_scene(check)
