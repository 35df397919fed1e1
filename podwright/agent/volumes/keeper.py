"""Sets up volumes, each in its own task: at once when one is due, and after a failure again with growing pauses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial

from podwright.agent.metrics.volumes import MAP, MOUNT
from podwright.agent.pods.places import pod_directory
from podwright.agent.volumes.failures import FAILED_MOUNT, NotProcessed, StepFailed
from podwright.agent.volumes.messages import set_up_failed
from podwright.agent.volumes.ownership import OwnershipProgress
from podwright.agent.volumes.plans import EmptyDirPlan, FilesPlan, HostPathPlan, Plan
from podwright.agent.volumes.plugins.protocol import AnyPlan, VolumeRequest
from podwright.agent.volumes.plugins.registry import operating_plugin
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.remover import Remover
from podwright.agent.volumes.setup import is_there, set_up
from podwright.agent.volumes.slow_groups import reported
from podwright.agent.volumes.state import PodVolumes, VolumeState
from podwright.agent.volumes.storage.plans import StoredPlan
from podwright.agent.volumes.storage.service import Storage
from podwright.agent.volumes.threads import Work
from podwright.agent.volumes.timing import OperationTimes
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks, end_all

log = logging.getLogger(__name__)


class VolumeKeeper:
    """Sets up volumes according to the plans of their plug-ins. `root` is the agent's root directory."""

    def __init__(self, ports: VolumePorts, root: str, work: Work, remover: Remover, storage: Storage) -> None:
        self._ports = ports
        self._root = root
        self._work = work
        self._remover = remover
        self._storage = storage
        self._times = OperationTimes(ports.clock, ports.metrics)
        self._tasks = Tasks()

    def look_at(self, volumes: PodVolumes, state: VolumeState, *, hurry: bool) -> None:
        """Set up a volume. `hurry` ends the pause after a failure, because something has changed."""
        state.due = True
        if hurry:
            state.hurry.set()
        if state.task is None:
            name = f"volume {state.volume.name} of pod {volumes.pod.metadata.name}"
            state.task = self._tasks.start(self._keep(volumes, state), name=name)

    async def stop(self, volumes: PodVolumes) -> None:
        """Stop setting up the pod's volumes. A thread may still run: see Work.settled."""
        volumes.is_over = True
        states = volumes.states.values()
        await end_all(lambda: [state.task for state in states if state.task is not None and not state.task.done()])
        await volumes.notify()

    async def close(self) -> None:
        """Stop setting up volumes. What is mounted stays."""
        await self._tasks.close()

    async def _keep(self, volumes: PodVolumes, state: VolumeState) -> None:
        """Set the volume up until nothing is due."""
        try:
            while state.due:
                state.due = False
                state.hurry.clear()
                try:
                    await self._set_up(volumes, state)
                except (PodwrightError, OSError, ValueError) as failure:  # ValueError: a NUL in a path
                    await self._failed(volumes, state, failure)
                else:
                    await volumes.notify()
        finally:
            state.task = None

    async def _failed(self, volumes: PodVolumes, state: VolumeState, failure: Exception) -> None:
        """Record an event, and pause.

        If the volume cannot be planned, only the caller that waits for it reports the failure.
        """
        is_news = state.failure != str(failure)
        pause_s = state.failed(str(failure))
        if isinstance(failure, NotProcessed):
            state.is_unprocessed = True
            if is_news:
                log.info("a volume cannot be processed: pod=%s error=%s", volumes.pod.metadata.name, failure)
            await volumes.notify()
        elif isinstance(failure, StepFailed):
            self._ports.events.pod(volumes.pod, "Warning", failure.reason, str(failure))
        else:
            message = set_up_failed(state.volume.name, str(failure))
            self._ports.events.pod(volumes.pod, "Warning", FAILED_MOUNT, message)
        await _pause(state, pause_s)

    async def _set_up(self, volumes: PodVolumes, state: VolumeState) -> None:
        directory, is_new = pod_directory(self._root, volumes.pod.metadata.uid), state.mounted is None
        with self._times.of((state.operated_by, MOUNT)) as timed:
            plan = await state.plugin.plan(VolumeRequest(pod=volumes.pod, volume=state.volume, directory=directory))
            state.operated_by = operating_plugin(state.volume, plan)
            timed.operations = [(state.operated_by, MAP if plan.mounted.is_block else MOUNT)]
            await self._follow(volumes, state, plan)
        if is_new:
            self._times.mounted(state.operated_by, state.wanted_at)

    async def _follow(self, volumes: PodVolumes, state: VolumeState, plan: AnyPlan) -> None:
        """Carry out the plan."""
        uid = volumes.pod.metadata.uid
        if isinstance(plan, StoredPlan):
            await self._mount(volumes.pod, state, plan)
            return
        if state.mounted is None and isinstance(plan, HostPathPlan):
            self._storage.check_node(plan.persistent, state.volume.name, is_block=False)
        files = plan if isinstance(plan, FilesPlan) else None
        digest = files.digest() if files is not None else b""
        if state.mounted is None or digest != state.digest or not is_there(plan):
            await self._remover.finished(uid)
            await self._carry_out(volumes.pod, plan)
        state.succeeded(plan.mounted, digest, is_final=files is not None and files.is_final)

    async def _mount(self, pod: Pod, state: VolumeState, plan: StoredPlan) -> None:
        def waiting(waits: bool) -> None:
            state.is_unattached = waits

        is_mounted = state.mounted is not None
        if not is_mounted:
            await self._remover.finished(plan.uid)
        await self._storage.mount(pod, plan, is_mounted=is_mounted, waiting=waiting)
        state.succeeded(plan.mounted, b"", is_final=False)

    async def _carry_out(self, pod: Pod, plan: Plan) -> None:
        uid, progress = pod.metadata.uid, OwnershipProgress()
        # With its own key: a hostPath that hangs holds its thread, and must not block the removal of the pod.
        key = f"host paths of {uid}" if isinstance(plan, HostPathPlan) else uid
        work = partial(set_up, plan, self._ports.clock.now_ns(), progress)
        with contextlib.ExitStack() as stack:
            if isinstance(plan, EmptyDirPlan) and plan.group is not None:
                stack.enter_context(reported(self._ports.events, pod, plan.path, progress))
            await self._work.run(key, work)


async def _pause(state: VolumeState, pause_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            await state.hurry.wait()
