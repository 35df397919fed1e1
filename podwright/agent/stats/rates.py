"""Computes CPU rates: from the difference of two measurements' sums. Pure."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from podwright.agent.stats.records import Moment, SummaryCpu

SHORTEST = timedelta(seconds=1)  # in a shorter window the scheduler matters more than the load
LONGEST = timedelta(minutes=5)


class _Base(msgspec.Struct, frozen=True):
    at: Moment
    used_ns: int
    nano_cores: int | None


class CpuRates:
    """The last measurement of each subject by name."""

    def __init__(self) -> None:
        self._bases: dict[str, _Base] = {}

    def __len__(self) -> int:
        return len(self._bases)

    def rated(self, name: str, cpu: SummaryCpu | None) -> SummaryCpu | None:
        """The same with a rate, if it is known. An existing rate stays."""
        if cpu is None or cpu.usage_nano_cores is not None or cpu.usage_core_nano_seconds is None:
            return cpu
        used = cpu.usage_core_nano_seconds
        base = self._bases.get(name)
        if base is not None and base.used_ns <= used and cpu.time - base.at < SHORTEST:
            return replace(cpu, usage_nano_cores=base.nano_cores)
        rate = None
        if base is not None and base.used_ns <= used and cpu.time - base.at <= LONGEST:
            rate = round((used - base.used_ns) / (cpu.time - base.at).total_seconds())
        self._bases[name] = _Base(cpu.time, used, rate)
        return replace(cpu, usage_nano_cores=rate)

    def forget(self, now: Moment) -> None:
        """Drop measurements that are too old to compute a rate."""
        for name in [name for name, base in self._bases.items() if now - base.at > LONGEST]:
            del self._bases[name]
