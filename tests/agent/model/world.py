"""What outlives the agent: the runtime, the disk, the manifests; and the ledger of what may have been a cause.

Every call by which an agent ends or makes something is checked as it happens. A broken rule is noted in `violations`,
for the call is made by a task of the runtime's, whose failure would only be one more failed call.
"""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

from podwright.agent.pods.identity import POD_NAME, POD_UID
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus, ExecResult, ImageStatus
from podwright.agent.status.manager import VersionedStatus
from podwright.errors import Internal
from podwright.k8s.objects import Pod
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.ports import FakeCgroups
from tests.agent.fakes.time import VirtualClock
from tests.agent.model.life import Life
from tests.agent.model.pods import PRESENT, PROGRAMS, PULLABLE, Recipe
from tests.agent.model.storm import StormyRuntime
from tests.agent.volumes.build import MemoryObjects, config_map

FILE, API = "file", "api"


class World:
    """See the module's text. Belongs to one event loop."""

    def __init__(self, directory: Path, *, evented: bool, sends_pods: bool) -> None:
        self.root, self.logs, self.links = directory / "root", directory / "logs", directory / "containers"
        self.evented = evented
        self.clock = VirtualClock()
        self.runtime = StormyRuntime(self.clock, sends_pods=sends_pods)
        self.runtime.programs = dict(PROGRAMS)
        self.runtime.images_by_name[PRESENT] = ImageStatus(id=PRESENT)
        self.runtime.pullable[PULLABLE] = ImageStatus(id=PULLABLE)
        self.runtime.pull_s = 2.0
        self.runtime.before = self._before_call
        self.runtime.exec_handler = self._exec
        self.events = RecordedEvents()
        self.cgroups = FakeCgroups()
        self.objects = MemoryObjects(config_map("config", {"key": "value"}))
        self.wanted: dict[str, dict[str, Pod]] = {FILE: {}, API: {}}
        self.recipes: dict[str, Recipe] = {}
        self.sick: set[tuple[str, ProbeKind]] = set()
        self.hooks_fail = False
        self.disk_is_full = False
        self.violations: list[str] = []
        self._causes: dict[str, float] = {}  # by UID: when something last happened that may end containers
        self._graces: dict[str, int] = {}  # of stops by container id, in this life
        self._phases: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self.life = Life(self)

    # -- what people and the storm do

    def set_pods(self, source: str, pods: dict[str, Pod]) -> None:
        """The source has these pods from now on."""
        before = self.wanted[source]
        self.wanted[source] = pods
        for name, pod in before.items():
            if pods.get(name) != pod:
                self.cause(pod.metadata.uid)
        self.send(source)

    def send(self, source: str) -> None:
        """Let the agent know."""
        self.life.sources[source].put(self.wanted[source].values())

    def uids(self) -> set[str]:
        """The pods that are wanted."""
        return {pod.metadata.uid for pods in self.wanted.values() for pod in pods.values()}

    def pod(self, uid: str) -> Pod | None:
        """The pod of that UID, if it is wanted."""
        wanted = (pod for pods in self.wanted.values() for pod in pods.values())
        return next((pod for pod in wanted if pod.metadata.uid == uid), None)

    def cause(self, uid: str) -> None:
        """From now on, a container of the pod that runs may be ended."""
        self._causes[uid] = self.clock.monotonic()
        if uid not in self.uids():
            self._phases.pop(uid, None)

    async def restart_agent(self, downtime_s: float) -> None:
        """The agent dies, and another one is started."""
        async with self._turn:
            await self._restart_agent(downtime_s)

    async def _restart_agent(self, downtime_s: float) -> None:
        self.runtime.kill_in = None
        await self.life.kill()
        self._graces.clear()
        self._phases.clear()
        await asyncio.sleep(downtime_s)
        self.runtime.killed.clear()
        self.life = Life(self)
        self.start_agent()

    def start_agent(self) -> None:
        """The agent starts, and reads its sources."""
        self.life.begin()
        for source in self.wanted:
            self.send(source)

    async def watch_over(self) -> None:
        """Start the agent again whenever the storm has killed it. Without end."""
        while True:
            await self.runtime.killed.wait()
            async with self._turn:
                if self.runtime.killed.is_set():
                    await self._restart_agent(1.0)

    def probe(self, kind: ProbeKind, uid: str, container: str) -> ProbeResult:
        """How the container is."""
        if (container, kind) not in self.sick:
            return ProbeResult.SUCCESS
        self.cause(uid)
        return ProbeResult.FAILURE

    def before_disk(self) -> None:
        """Whether the disk does what it is asked for."""
        if self.disk_is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def _exec(self, name: str, command: list[str]) -> ExecResult:
        await asyncio.sleep(1.5)
        if self.hooks_fail:
            raise Internal("the hook's command cannot be run")
        return ExecResult(exit_code=0)

    # -- rules that hold at every moment

    def violation(self, text: str) -> None:
        """A rule is broken."""
        self.violations.append(f"{self.clock.monotonic():.2f}: {text}")

    def _before_call(self, method: str, uid: str, subject: Any) -> None:
        match method:
            case "hook_fails":
                self.cause(uid)
            case "run_sandbox":
                if subject.labels[POD_NAME] in self.wanted[FILE]:
                    self._check_predecessors(uid, subject.labels[POD_NAME])
            case "start_container":
                self._check_single(uid, subject)
            case "stop_container":
                self._check_stop(uid, *subject)
            case "stop_sandbox":
                for status in self.runtime.touch(uid):
                    if status.sandbox_id == subject:
                        self._check_cause(uid, status.id, "its sandbox is stopped")

    def _check_predecessors(self, uid: str, name: str) -> None:
        """A static pod has ended before the next one of its name begins."""
        for status in self.runtime.all_containers():
            of, other = status.labels[POD_NAME], status.labels[POD_UID]
            if of == name and other != uid and status.state is CriContainerState.RUNNING:
                self.violation(f"pod {uid} begins while {status.name} of its predecessor {other} runs")

    def _check_single(self, uid: str, container_id: str) -> None:
        """A container has one instance that runs."""
        name = next((each.name for each in self.runtime.all_containers() if each.id == container_id), "")
        if any(status.name == name for status in self.runtime.touch(uid)):
            self.violation(f"another instance of {name} of pod {uid} is started while one runs")

    def _check_stop(self, uid: str, container_id: str, grace_s: int) -> None:
        if grace_s < 2:
            self.violation(f"container {container_id} of pod {uid} has {grace_s} s to end")
        before = self._graces.get(container_id)
        if before is not None and grace_s > before:
            self.violation(f"the grace of {container_id} of pod {uid} grows from {before} to {grace_s} s")
        self._graces[container_id] = grace_s
        self._check_cause(uid, container_id, "it is stopped")

    def _check_cause(self, uid: str, container_id: str, what: str) -> None:
        status = next((each for each in self.runtime.touch(uid) if each.id == container_id), None)
        pod = self.pod(uid)
        if status is None or self._may_end(pod, status):
            return
        if self._causes.get(uid, -1.0) < self.runtime.asked_at[container_id]:
            self.violation(f"container {status.name} ({container_id}) of pod {uid} runs, and {what} without a cause")
        if uid not in self.uids() and not self.life.engine.loop.all_sources_read:
            self.violation(f"pod {uid} is ended before all sources were read")

    def _may_end(self, pod: Pod | None, status: CriContainerStatus) -> bool:
        """Whether the container is of no use, whatever happened before."""
        if pod is None or pod.metadata.deletion_timestamp is not None or pod.metadata.uid not in self.cgroups.made:
            return True
        running = {each.name for each in self.runtime.touch(pod.metadata.uid)}
        has_ended = not running & {each.name for each in pod.spec.containers} and pod.spec.restart_policy != "Always"
        images = {each.name: each.image for each in (*pod.spec.init_containers, *pod.spec.containers)}
        has_changed = images.get(status.name) != status.image
        return has_ended or has_changed or pod.spec.active_deadline_seconds is not None

    def removes_volumes(self, uid: str) -> None:
        """The agent is about to remove the volumes of a pod."""
        if self.runtime.touch(uid) and not self.life.line.is_cut:
            self.violation(f"the volumes of pod {uid} go while its containers run")

    def status_changed(self, entry: VersionedStatus) -> None:
        """The agent publishes a status."""
        before, phase = self._phases.get(entry.uid), entry.status.phase
        if before in TERMINAL and phase != before:
            self.violation(f"pod {entry.uid} was {before} and is {phase}")
        self._phases[entry.uid] = phase
        if entry.shown.phase in TERMINAL and self.runtime.touch(entry.uid):
            self.violation(f"pod {entry.uid} is shown as {entry.shown.phase} while containers run")
