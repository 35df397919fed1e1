"""Measures the operations on volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.metrics.volumes import WHOLE_MOUNT, VolumeMetrics
from podwright.agent.volumes.failures import NotProcessed
from podwright.errors import PodwrightError

NOT_MIGRATED = "false"  # no plug-in of this agent is migrated to a CSI driver


Operation = tuple[str, str]  # the plug-in and the operation, by the kubelet's names


class Timed(msgspec.Struct):
    """The operations that a block counts as. The block may change them."""

    operations: Sequence[Operation]


class OperationTimes:
    """Measures operations. Interrupted operations, and those that cannot begin yet, do not count."""

    def __init__(self, clock: Clock, metrics: VolumeMetrics) -> None:
        self._clock = clock
        self._metrics = metrics

    @contextlib.contextmanager
    def of(self, *operations: Operation) -> Iterator[Timed]:
        """Measure the block. If it works on several volumes, each gets the whole time."""
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
        """Record that a volume is mounted which was wanted since `wanted_at` (the clock's monotonic time)."""
        self._metrics.whole_operations.observe(self._clock.monotonic() - wanted_at, plugin, WHOLE_MOUNT)

    def _ended(self, operations: Sequence[Operation], status: str, began: float) -> None:
        took_s = self._clock.monotonic() - began
        for plugin, operation in operations:
            self._metrics.operations.observe(took_s, plugin, operation, status, NOT_MIGRATED)
