"""Whatever happens to manifests, containers, the runtime and the agent: in the end there is what the manifests say."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from podwright.agent.probes.outcomes import ProbeKind
from podwright.agent.runtime.records import CriContainerState, ImageStatus
from tests.agent.model.checks import problems
from tests.agent.model.pods import MISSING, PRESENT, PULLABLE, RECIPES, Recipe
from tests.agent.model.storm import EventFate, Fate
from tests.agent.model.time import VirtualLoop
from tests.agent.model.world import API, FILE, World

STATIC = st.sampled_from(["a", "b", "c"])
DYNAMIC = st.sampled_from(["x", "y"])
CALLS = st.sampled_from(
    [
        *("run_sandbox", "create_container", "start_container", "stop_container", "stop_sandbox"),
        *("remove_container", "remove_sandbox", "sandboxes", "containers", "pod_sandboxes", "pod_containers"),
        *("sandbox_status", "container_status", "exec_sync", "state", "pull", "image"),
    ]
)
LONG_S = 500.0  # longer than every back-off, deadline and look-around together


class Storm(RuleBasedStateMachine):
    """See the module's text."""

    @initialize(evented=st.booleans(), sends_pods=st.booleans())
    def begin(self, evented: bool, sends_pods: bool) -> None:
        logging.disable(logging.CRITICAL)
        self.directory = Path(tempfile.mkdtemp())
        self.loop = VirtualLoop()
        self.run(self._begin(evented, sends_pods))

    async def _begin(self, evented: bool, sends_pods: bool) -> None:
        self.world = World(self.directory, evented=evented, sends_pods=sends_pods)
        self.world.start_agent()
        self.guard = asyncio.create_task(self.world.watch_over())
        await asyncio.sleep(1)

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)

    def later(self, seconds: float = 0.03) -> None:
        self.run(asyncio.sleep(seconds))

    # -- manifests

    @rule(name=STATIC, recipe=RECIPES)
    def write_manifest(self, name: str, recipe: Recipe) -> None:
        self.world.recipes[name] = recipe
        self._set(FILE, name, recipe)

    @rule(name=STATIC)
    def remove_manifest(self, name: str) -> None:
        self._unset(FILE, name)

    @rule(name=STATIC)
    def put_manifest_back(self, name: str) -> None:
        if name in self.world.recipes:
            self._set(FILE, name, self.world.recipes[name])

    @rule(name=DYNAMIC, recipe=RECIPES)
    def create_pod(self, name: str, recipe: Recipe) -> None:
        if name not in self.world.wanted[API]:
            self.world.recipes[name] = recipe
            self._set(API, name, recipe)

    @rule(name=DYNAMIC)
    def delete_pod(self, name: str) -> None:
        if name in self.world.wanted[API]:
            self._set(API, name, self.world.recipes[name], deleted=True)

    @rule(name=DYNAMIC)
    def forget_pod(self, name: str) -> None:
        self._unset(API, name)

    @rule(name=STATIC | DYNAMIC, image=st.sampled_from([PRESENT, PULLABLE, MISSING]))
    def change_image(self, name: str, image: str) -> None:
        for source, pods in self.world.wanted.items():
            if name in pods and pods[name].metadata.deletion_timestamp is None:
                recipe = Recipe(**{**_fields(self.world.recipes[name]), "image": image})
                self.world.recipes[name] = recipe
                self._set(source, name, recipe)

    def _set(self, source: str, name: str, recipe: Recipe, *, deleted: bool = False) -> None:
        pods = {**self.world.wanted[source], name: recipe.pod(name, source, deleted=deleted)}
        self.run(self._send(source, pods))

    def _unset(self, source: str, name: str) -> None:
        pods = {each: pod for each, pod in self.world.wanted[source].items() if each != name}
        if len(pods) != len(self.world.wanted[source]):
            self.run(self._send(source, pods))

    async def _send(self, source: str, pods: dict[str, Any]) -> None:
        self.world.set_pods(source, pods)
        await asyncio.sleep(0.03)

    # -- what happens to pods

    @rule(choice=st.randoms(use_true_random=False), code=st.sampled_from([0, 1, 137]), is_removed=st.booleans())
    def end_a_container(self, choice: Any, code: int, is_removed: bool) -> None:
        runtime = self.world.runtime
        running = sorted(each.id for each in runtime.all_containers() if each.state is CriContainerState.RUNNING)
        if running:
            chosen = choice.choice(running)

            async def work() -> None:
                (runtime.forget if is_removed else lambda each: runtime.die(each, code))(chosen)
                await asyncio.sleep(0.03)

            self.run(work())

    @rule(choice=st.randoms(use_true_random=False))
    def lose_a_sandbox(self, choice: Any) -> None:
        if uids := sorted(self.world.runtime.pods()):
            uid = choice.choice(uids)

            async def work() -> None:
                self.world.cause(uid)
                self.world.runtime.lose_sandbox(uid)
                await asyncio.sleep(0.03)

            self.run(work())

    @rule(choice=st.randoms(use_true_random=False))
    def lose_a_cgroup(self, choice: Any) -> None:
        if uids := sorted(self.world.cgroups.made):

            async def work() -> None:
                uid = choice.choice(uids)
                self.world.cgroups.made.discard(uid)
                self.world.cause(uid)
                await asyncio.sleep(0.03)

            self.run(work())

    @rule(name=st.sampled_from(["serve", "slow"]), kind=st.sampled_from(ProbeKind), is_sick=st.booleans())
    def change_health(self, name: str, kind: ProbeKind, is_sick: bool) -> None:
        (self.world.sick.add if is_sick else self.world.sick.discard)((name, kind))
        self.later()

    @rule(fail=st.booleans())
    def break_hooks(self, fail: bool) -> None:
        self.world.hooks_fail = fail

    # -- what happens to the machine

    @rule(method=CALLS, fate=st.sampled_from(Fate))
    def plan_a_call(self, method: str, fate: Fate) -> None:
        self.world.runtime.fates[method].append(fate)

    @rule(fates=st.lists(st.sampled_from(EventFate), min_size=1, max_size=4))
    def plan_events(self, fates: list[EventFate]) -> None:
        self.world.runtime.event_fates += fates

    @rule(downtime_s=st.sampled_from([0.0, 1.0, 30.0, 200.0]), with_state=st.booleans())
    def restart_the_runtime(self, downtime_s: float, with_state: bool) -> None:
        async def work() -> None:
            await self.world.runtime.stop()
            await asyncio.sleep(downtime_s)
            self.world.runtime.start(with_state=with_state)
            if not with_state:
                for uid in self.world.uids():
                    self.world.cause(uid)
            await asyncio.sleep(0.03)

        self.run(work())

    @rule(is_full=st.booleans())
    def fill_the_disk(self, is_full: bool) -> None:
        self.world.disk_is_full = is_full

    @rule(seconds=st.sampled_from([-3600.0, -20.0, 20.0, 3600.0]))
    def set_the_clock(self, seconds: float) -> None:
        self.world.clock.jump_s += seconds
        self.later()

    # -- what happens to the agent

    @rule(calls=st.integers(0, 12), after=st.booleans())
    def kill_the_agent_soon(self, calls: int, after: bool) -> None:
        self.world.runtime.kill_in, self.world.runtime.kill_after = calls, after
        self.later()

    @rule(downtime_s=st.sampled_from([0.0, 1.0, 100.0]))
    def restart_the_agent(self, downtime_s: float) -> None:
        self.run(self.world.restart_agent(downtime_s))
        self.later()

    @rule(seconds=st.sampled_from([0.2, 2.0, 2.0, 12.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.later(seconds)

    @invariant()
    def nothing_is_broken(self) -> None:
        if hasattr(self, "world"):
            assert not self.world.violations, "\n".join(self.world.violations)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.run(self.settle())
        finally:
            self.run(self.end())
            self.loop.close()
            shutil.rmtree(self.directory)
            logging.disable(logging.NOTSET)

    async def settle(self) -> None:
        """The storm is over."""
        world = self.world
        world.runtime.calm()
        world.hooks_fail = world.disk_is_full = False
        world.sick.clear()
        world.runtime.pullable[MISSING] = ImageStatus(id=MISSING)
        await asyncio.sleep(LONG_S)
        found = problems(world)
        if found:
            self.explain()
        assert not found, "\n".join(found)

    async def end(self) -> None:
        self.guard.cancel()
        await self.world.life.kill()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def explain(self) -> None:
        """For the one who has to find out why."""
        for event in self.world.events.seen[-40:]:
            note(str(event))
        for status in self.world.runtime.all_containers():
            note(f"{status.labels} {status.id} {status.state} {status.restart_count} {status.exit_code}")
        for uid in sorted(self.world.uids()):
            note(f"{uid}: {self.world.life.engine.workers.activity(uid)}")
            note(f"{uid}: {self.world.life.engine.cache.peek(uid)}")


def _fields(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in recipe.__slots__}


# A developer who changes the engine runs many more: see CONTRIBUTING.md.
EXAMPLES = int(os.environ.get("PODWRIGHT_MODEL_EXAMPLES", "20"))
Storm.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # The suite tries the same storms each time: new ones are for a developer, who can look at what they find.
    derandomize="PODWRIGHT_MODEL_EXAMPLES" not in os.environ,
)
TestStorm = pytest.mark.slow(pytest.mark.timeout(120 + 20 * EXAMPLES)(Storm.TestCase))


def test_a_sandbox_that_comes_too_late_is_ended() -> None:
    state = Storm()
    state.begin(evented=False, sends_pods=False)
    state.plan_a_call(fate=Fate.OVERDUE, method="run_sandbox")
    recipe = Recipe(
        regular=("serve",),
        init=(),
        policy="Always",
        grace_s=1,
        image="registry.example/here:1",
        pre_stop="",
        post_start="",
        probed=False,
        volumes=False,
        users=False,
        host_network=False,
        deadline_s=None,
    )
    state.create_pod(name="x", recipe=recipe)
    for _ in range(4):
        state.delete_pod(name="x")
    state.teardown()
