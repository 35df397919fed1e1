"""CPU usage per second (`usage_nano_cores`), computed from the samples of earlier answers. Pure.

There is no sampling in the background: the answer to one request is the base for the rate in the next one, so unused
numbers cost nothing. A kubelet asks every 10 s, and gets the mean of these 10 s. The base for the first answer about
a young cgroup is its creation, when it had used nothing. Otherwise the first answer has no rate, nor does an answer
with an outdated base. Requests in quick succession share a base, because a window of a few milliseconds would measure
the scheduler rather than the load.
"""

from __future__ import annotations

import msgspec

from podwright.runtime.model.usage import UINT64_MAX

SHORTEST_WINDOW_NS = 1_000_000_000
LONGEST_WINDOW_NS = 120_000_000_000
NS_PER_S = 1_000_000_000


class CpuSample(msgspec.Struct, frozen=True):
    """The CPU time used until a time of the monotonic clock, and the rate then."""

    at_ns: int
    cpu_ns: int
    nano_cores: int | None


class Rates:
    """The last sample of each cgroup."""

    def __init__(self) -> None:
        self._samples: dict[str, CpuSample] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def rate(self, cgroup: str, cpu_ns: int, *, now_ns: int, born_ns: int) -> int | None:
        """Nanoseconds of CPU time per second over the last window, or None if unknown.

        `now_ns` and `born_ns` are times of the monotonic clock.
        """
        last = self._samples.get(cgroup) or CpuSample(born_ns, 0, None)
        window_ns = now_ns - last.at_ns
        if window_ns < SHORTEST_WINDOW_NS and cpu_ns >= last.cpu_ns:
            return last.nano_cores
        nano_cores = None
        if (
            window_ns <= LONGEST_WINDOW_NS and cpu_ns >= last.cpu_ns
        ):  # less than before means another cgroup with that name
            nano_cores = min((cpu_ns - last.cpu_ns) * NS_PER_S // window_ns, UINT64_MAX)
        self._samples[cgroup] = CpuSample(now_ns, cpu_ns, nano_cores)
        return nano_cores

    def forget(self, *, now_ns: int) -> None:
        """Drop outdated samples."""
        oldest = now_ns - LONGEST_WINDOW_NS
        for cgroup in [cgroup for cgroup, sample in self._samples.items() if sample.at_ns < oldest]:
            del self._samples[cgroup]
