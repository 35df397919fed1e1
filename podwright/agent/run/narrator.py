"""Reports the course of a run: statuses as changes, events as lines, logs as they grow.

The agent's callbacks only note news. One task shows them, so that a container's last lines come before its end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from podwright.agent.events.log import RecordedEvent
from podwright.agent.run.changes import PodChange, changes
from podwright.agent.run.reporter import ContainerChange, Reporter
from podwright.agent.run.tails import LogPath, LogTails
from podwright.k8s.objects import Pod, PodStatus

EVENTS_KEPT = 1000
KILLED = 137
# Events that are shown although they are no warnings: the containers are restarted.
TOLD = frozenset({"SandboxChanged"})
# Events whose message a status also shows.
SHOWN_BY_STATUSES = frozenset({"BackOff", "Failed", "ErrImageNeverPull", "InspectFailed"})


class _Shown(msgspec.Struct):
    """A pod, with the status that was last shown and the one to show next."""

    pod: Pod
    status: PodStatus
    newest: PodStatus


class Narrator:
    """Shows the course of a run. For the event loop's thread only."""

    def __init__(self, reporter: Reporter, path_of: LogPath, *, name_pods: Callable[[], bool]) -> None:
        """`name_pods` returns whether containers are shown with their pods' names, because there are several pods."""
        self._reporter = reporter
        self._name_pods = name_pods
        self._tails = LogTails(path_of, reporter.log, self._label)
        self._pods: dict[str, _Shown] = {}
        self._events: deque[tuple[Pod | None, RecordedEvent]] = deque(maxlen=EVENTS_KEPT)
        self._new = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_stopping = False

    def add(self, pod: Pod) -> None:
        """Show this pod from now on."""
        if pod.metadata.uid not in self._pods:
            self._pods[pod.metadata.uid] = _Shown(pod=pod, status=PodStatus(), newest=PodStatus())
            self._reporter.pod(full_name(pod), "Pending")

    def note_status(self, uid: str, status: PodStatus) -> None:
        """Note a pod's new status."""
        shown = self._pods.get(uid)
        if shown is not None:
            shown.newest = status
            self._wake()

    def note_event(self, event: RecordedEvent) -> None:
        """Note an event about a pod."""
        shown = self._pods.get(event.subject.uid)
        if shown is not None and is_reported(event):
            self._events.append((shown.pod, event))
            self._wake()

    def note_stop(self) -> None:
        """Note that the pods are being ended."""
        self._is_stopping = True

    async def run(self) -> None:
        """Show news forever."""
        while True:
            await self._new.wait()
            self._new.clear()
            while self._events:
                self._show_event(*self._events.popleft())
            for shown in list(self._pods.values()):
                await self._show(shown)
            if not self._new.is_set():
                self._idle.set()

    async def settle(self, timeout_s: float) -> None:
        """Wait until all news are shown, at most `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Show the logs to their ends. Call it when `run` has ended."""
        await self._tails.close()

    def _wake(self) -> None:
        self._idle.clear()
        self._new.set()

    def _label(self, pod: Pod) -> str:
        return pod.metadata.name if self._name_pods() else ""

    async def _show(self, shown: _Shown) -> None:
        before, now = shown.status, shown.newest
        shown.status = now
        for change in changes(shown.pod, before, now, label=self._label(shown.pod)):
            if isinstance(change, PodChange):
                self._reporter.pod(full_name(shown.pod), change.phase, change.message)
            else:
                await self._show_container(shown.pod, change)

    async def _show_container(self, pod: Pod, change: ContainerChange) -> None:
        if change.phase == "exited":
            await self._tails.finish(pod, change.container, change.attempt)
        self._reporter.container(change)
        if change.phase == "running":
            self._tails.follow(pod, change.container, change.attempt)
        if self._is_stopping and change.exit_code == KILLED:
            grace = pod.spec.termination_grace_period_seconds
            self._reporter.warning(f"container {change.label} did not end within {grace} s and was killed")

    def _show_event(self, pod: Pod | None, event: RecordedEvent) -> None:
        name = full_name(pod) if pod is not None else event.subject.name
        where = f" {event.subject.field_path}" if event.subject.field_path else ""
        message = event.message.rstrip(": \n")  # a probe without output ends in a colon
        self._reporter.warning(f"pod {name}{where}: {event.reason}: {message}")


def is_reported(event: RecordedEvent) -> bool:
    """Whether an event is shown: a warning, at its first occurrence, that no status shows."""
    if event.reason in TOLD:
        return True
    return event.type == "Warning" and event.count == 1 and event.reason not in SHOWN_BY_STATUSES


def full_name(pod: Pod) -> str:
    """namespace/name, for people."""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
