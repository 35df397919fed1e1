"""The grace of a pod's containers, and the order in which they end. Pure except for `TerminationOrder`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from podwright.agent.pods.containers import find_container
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.probes.outcomes import ProbeKind
from podwright.k8s.objects import Container, Pod

MIN_STOP_S = 2  # the least timeout of StopContainer: a shorter one is a SIGKILL at once


def termination_grace_s(pod: Pod, name: str, probe: ProbeKind | None) -> int:
    """The grace of a container in seconds: that of the deletion, else that of the failed probe, else the pod's."""
    if pod.metadata.deletion_grace_period_seconds is not None:
        return pod.metadata.deletion_grace_period_seconds
    container = find_container(pod, name)
    if isinstance(container, Container) and probe is not None:
        failed = container.startup_probe if probe is ProbeKind.STARTUP else container.liveness_probe
        if failed is not None and failed.termination_grace_period_seconds is not None:
            return failed.termination_grace_period_seconds
    return pod.spec.termination_grace_period_seconds or 0


class TerminationOrder:
    """Regular containers end first, all at once. Then sidecars end, in the reverse order of the spec."""

    def __init__(self, pod: Pod, running: Iterable[str]) -> None:
        """`running` has the names of the containers that must end."""
        ended = {name: asyncio.Event() for name in running}
        self._ended = ended
        regular = [container.name for container in pod.spec.containers if container.name in ended]
        sidecars = [
            container.name
            for container in pod.spec.init_containers
            if is_sidecar(container) and container.name in ended
        ]
        self._before: dict[str, list[str]] = {}
        for index, name in enumerate(sidecars):
            self._before[name] = [*regular, *sidecars[index + 1 :]]

    async def turn(self, name: str, timeout_s: float) -> None:
        """Wait until it is this container's turn, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                for other in self._before.get(name, ()):
                    await self._ended[other].wait()
        except TimeoutError:
            return

    def has_ended(self, name: str) -> None:
        """Note that a container has ended, or could not be ended."""
        if name in self._ended:
            self._ended[name].set()
