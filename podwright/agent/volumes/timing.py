"""Times of what is done to volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.metrics.volumes import WHOLE_MOUNT, VolumeMetrics
from podwright.agent.volumes.failures import NotProcessed
from podwright.errors import PodwrightError

NOT_MIGRATED = "false"  # this agent has no plug-in whose volumes a CSI driver serves


Operation = tuple[str, str]  # the plug-in, and what it does, by the kubelet's names


class Timed(msgspec.Struct):
    """The operations that a block is. It may change them as it learns more."""

    operations: Sequence[Operation]


class OperationTimes:
    """Measures operations. What is interrupted, or cannot begin yet, does not count."""

    def __init__(self, clock: Clock, metrics: VolumeMetrics) -> None:
        self._clock = clock
        self._metrics = metrics

    @contextlib.contextmanager
    def of(self, *operations: Operation) -> Iterator[Timed]:
        """Time what the block does. With several volumes at once, each takes the time of all."""
        began, timed = self._clock.monotonic(), Timed(operations)
        try:
            yield timed
        except NotProcessed:
            raise
        except (PodwrightError, OSError, ValueError):
            self._ended(timed.operations, "fail-unknown", began)
            raise
        self._ended(timed.operations, "success", began)

    def mounted(self, plugin: str, wanted_at: float) -> None:
        """A volume that is wanted since `wanted_at` (the clock's monotonic time) is there."""
        self._metrics.whole_operations.observe(self._clock.monotonic() - wanted_at, plugin, WHOLE_MOUNT)

    def _ended(self, operations: Sequence[Operation], status: str, began: float) -> None:
        took_s = self._clock.monotonic() - began
        for plugin, operation in operations:
            self._metrics.operations.observe(took_s, plugin, operation, status, NOT_MIGRATED)
