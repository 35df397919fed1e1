"""Shows the agent's state, as objects of the API and as JSON for people. It only reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from podwright.agent.events.log import EventLog, RecordedEvent
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.workers.pool import PodWorkers, WorkerActivity
from podwright.errors import NotFound
from podwright.k8s import codec
from podwright.k8s.objects import Pod, PodList, PodStatus


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's state, for the servers."""

    registry: PodRegistry
    workers: PodWorkers
    status_of: Callable[[str], PodStatus | None]
    events: EventLog
    problem: Callable[[], str]  # why pods are not synced; empty if they are

    def pods(self) -> list[Pod]:
        """The wanted pods, with the agent's statuses."""
        return [self._with_status(pod) for pod in self.registry.pods()]

    def _with_status(self, pod: Pod) -> Pod:
        status = self.status_of(pod.metadata.uid)
        return pod if status is None else replace(pod, status=status)

    def pod_list(self) -> bytes:
        """`/pods`: a PodList in JSON."""
        return codec.encode(PodList(items=tuple(self.pods())))

    def named(self, namespace: str, name: str) -> Pod | None:
        """The pod with exactly this name, with its status."""
        pod = self.registry.named(f"{name}_{namespace}")
        return None if pod is None else self._with_status(pod)

    def uid_of(self, api_uid: str) -> str:
        """The agent's UID of a pod that the API knows by `api_uid`."""
        return self.registry.uid_of(api_uid)

    def find(self, namespace: str, name: str) -> Pod:
        """The pod with this name, or the only pod whose name begins with it. Raises NotFound."""
        pods = [pod for pod in self.pods() if pod.metadata.namespace == namespace]
        exact = [pod for pod in pods if pod.metadata.name == name]
        found = exact or [pod for pod in pods if pod.metadata.name.startswith(name)]
        if len(found) != 1:
            known = ", ".join(sorted(pod.metadata.name for pod in found or pods)[:10])
            problem = f"{len(found)} pods begin with {name!r}" if found else f"there is no pod {namespace}/{name}"
            raise NotFound(problem, hint=f"pods in {namespace}: {known}" if known else "no pod is in this namespace")
        return found[0]

    def description(self, namespace: str, name: str) -> dict[str, Any]:
        """`/describe/NAMESPACE/NAME`: the pod, its events, and what its worker does. Raises NotFound."""
        pod = self.find(namespace, name)
        activity = self.workers.activity(pod.metadata.uid)
        return {
            "pod": codec.to_document(pod),
            "events": [_event(event) for event in self.events.of_pod(pod.metadata.uid)],
            "worker": None if activity is None else _activity(activity),
            "problem": self.problem(),
        }


def _event(event: RecordedEvent) -> dict[str, Any]:
    return {
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "fieldPath": event.subject.field_path,
        "count": event.count,
        "firstTimestamp": _time(event.first_ns),
        "lastTimestamp": _time(event.last_ns),
    }


def _time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _activity(activity: WorkerActivity) -> dict[str, Any]:
    return {
        "state": activity.state.value,
        "finished": activity.finished,
        "busySeconds": activity.busy_s,
        "waitsFor": " > ".join(activity.waits_for),
        "nextPassSeconds": activity.next_pass_s,
        "failure": activity.failure,
    }
