"""Bringing a pod down in the kubelet's order: hooks, signals within the grace, sidecars last, then the sandboxes.

Called by the pod worker. A forced stop cuts every wait short and kills what is left.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from podwright.agent.run.reporter import Reporter
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.orchestration.runtime import MIN_GRACE_S, PodRuntime, run_pre_stop
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus

log = logging.getLogger(__name__)


class Termination:
    """One way down for one pod. `forced` set means: no more waiting."""

    def __init__(self, runtime: PodRuntime, pod: Pod, reporter: Reporter, forced: asyncio.Event) -> None:
        self._runtime = runtime
        self._pod = pod
        self._reporter = reporter
        self._forced = forced

    async def stop_containers(self, status: PodStatus, grace_s: float) -> None:
        """Regular and init containers together, then sidecars in reverse order. Raises PodwrightError."""
        deadline = time.monotonic() + grace_s
        sidecars = [item.name for item in self._pod.spec.init_containers if self._pod.is_sidecar(item)]
        live = [record for record in status.containers if record.state in ("running", "unknown")]
        await self._stop_together([record for record in live if record.name not in sidecars], deadline)
        for name in reversed(sidecars):
            await self._stop_together([record for record in live if record.name == name], deadline)

    async def stop_one(self, record: ContainerRecord, grace_s: float) -> None:
        """One container, as for a restart."""
        await self._stop_together([record], time.monotonic() + grace_s)

    async def _stop_together(self, records: Sequence[ContainerRecord], deadline: float) -> None:
        """All at once; every one is tried before the first failure is raised."""
        results = await asyncio.gather(*(self._stop(record, deadline) for record in records), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _stop(self, record: ContainerRecord, deadline: float) -> None:
        graceful = asyncio.create_task(self._gracefully(record, deadline))
        forced = asyncio.create_task(self._forced.wait())
        try:
            await asyncio.wait((graceful, forced), return_when=asyncio.FIRST_COMPLETED)
            if not graceful.done():
                # The runtime takes a second, shorter stop beside the first; then the first returns, too.
                await self._runtime.stop_container(record.id, 0)
                return
            graceful.result()
        finally:
            for task in (graceful, forced):
                task.cancel()
            await asyncio.gather(graceful, forced, return_exceptions=True)

    async def _gracefully(self, record: ContainerRecord, deadline: float) -> None:
        grace_s = max(0.0, deadline - time.monotonic())
        container = self._pod.find_container(record.name)
        if container is not None and record.state == "running":
            grace_s, problem = await run_pre_stop(self._runtime, container, record.id, grace_s)
            if problem:
                self._reporter.warning(f"container {record.name}: {problem}")
        await self._runtime.stop_container(record.id, max(MIN_GRACE_S, round(grace_s)))
