"""The crash-loop back-off: a container that has ended waits before it starts again, longer each time."""

from __future__ import annotations

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.go_duration import format_duration
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.hashes import container_hash
from podwright.agent.pods.identity import described
from podwright.agent.pods.reasons import CRASH_LOOP_BACK_OFF, ContainerFailure
from podwright.agent.runtime.records import CriContainerState, ObservedPod
from podwright.k8s.objects import Pod


class Restarts:
    """The back-off of all containers."""

    def __init__(self, backoff: KeyedBackoff, events: EventRecorder, clock: Clock) -> None:
        self._backoff = backoff
        self._events = events
        self._clock = clock

    def check(self, pod: Pod, container: AnyContainer, observed: ObservedPod) -> None:
        """Raise ContainerFailure while the container must wait. Otherwise make its next wait longer."""
        ended = next(
            (each for each in observed.instances(container.name) if each.state is CriContainerState.EXITED), None
        )
        if ended is None:
            return
        key, now_ns = _key(pod, container), self._clock.now_ns()
        until_ns = self._backoff.until_ns(key, ended.finished_at_ns, now_ns)
        if now_ns >= until_ns:
            self._backoff.next(key, ended.finished_at_ns, now_ns)
            return
        wait, which = format_duration(until_ns - ended.finished_at_ns), described(pod)
        text = f"Back-off restarting failed container {container.name} in pod {which}"
        self._events.pod(pod, "Warning", "BackOff", text, container=container.name)
        message = f"back-off {wait} restarting failed container={container.name} pod={which}"
        raise ContainerFailure(container.name, CRASH_LOOP_BACK_OFF, message, until_ns=until_ns)

    def prune(self) -> None:
        """Drop waits that have expired."""
        self._backoff.prune(self._clock.now_ns())


def _key(pod: Pod, container: AnyContainer) -> str:
    """The key of a wait. A container with another image or other resources has another one, so it need not wait."""
    resources = msgspec.json.encode(container.resources, order="sorted").decode()
    return f"{pod.metadata.uid}/{container.name}/{container_hash(container)}/{resources}"
