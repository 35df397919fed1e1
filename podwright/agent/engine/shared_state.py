"""The state that the engine shares with the rooms below it."""

from __future__ import annotations

from collections.abc import Collection

from podwright.agent.clock import Clock
from podwright.agent.loop import PodsChanged, new_channels
from podwright.agent.metrics.pleg import PlegMetrics
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pleg.changes import PodEvent
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.probes.outcomes import ProbeOutcome
from podwright.agent.runtime.protocol import CriRuntime


class SharedState:
    """The wanted pods, what the runtime shows of them, and the channels to the loop."""

    def __init__(self, runtime: CriRuntime, clock: Clock, metrics: PlegMetrics | None = None) -> None:
        self._metrics = metrics or PlegMetrics()
        self.channels = new_channels()
        self.registry = PodRegistry()
        self.cache = StatusCache(runtime, clock, self._runtime_changed)

    def _runtime_changed(self, event: PodEvent) -> None:
        # A full channel loses the event. The pod's next pass and the next relist see the change anyway.
        if not self.channels.offer("runtime", event):
            self._metrics.discarded_events.add()

    def pods_changed(self, uids: Collection[str]) -> None:
        """Have the loop sync these pods."""
        self.channels.offer("managers", PodsChanged(uids=tuple(uids)))

    async def probe_decided(self, outcome: ProbeOutcome) -> None:
        """Send the result of a probe to the loop."""
        await self.channels.put("probes", outcome)
