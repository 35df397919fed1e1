"""CPU use per second (`usage_nano_cores`), from the samples that answers leave behind. Pure.

No timer samples in the background: the answer to one request is the base of the next one's rate, so nobody pays for
numbers that nobody asks for. A kubelet asks every 10 s, and gets the mean of these 10 s. The first answer about a
young cgroup takes its birth as the base, when it had used nothing. Otherwise the first answer has no rate, nor has one
whose base is too old to say anything about now. Requests in quick succession, of several clients or for the same
container by two lists, share a base: a window of a few milliseconds would tell more of the scheduler than of the load.
"""

from __future__ import annotations

from dataclasses import dataclass

from podwright.runtime.model.usage import UINT64_MAX

SHORTEST_WINDOW_NS = 1_000_000_000
LONGEST_WINDOW_NS = 120_000_000_000
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CpuSample:
    """CPU time used until a moment of the monotonic clock, and the rate that was found then."""

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
        """Nanoseconds of CPU per second over the last window; None when it is not known.

        `now_ns` and `born_ns` are of the monotonic clock.
        """
        last = self._samples.get(cgroup) or CpuSample(born_ns, 0, None)
        window_ns = now_ns - last.at_ns
        if window_ns < SHORTEST_WINDOW_NS and cpu_ns >= last.cpu_ns:
            return last.nano_cores
        nano_cores = None
        if window_ns <= LONGEST_WINDOW_NS and cpu_ns >= last.cpu_ns:  # less than before: another cgroup of that name
            nano_cores = min((cpu_ns - last.cpu_ns) * NS_PER_S // window_ns, UINT64_MAX)
        self._samples[cgroup] = CpuSample(now_ns, cpu_ns, nano_cores)
        return nano_cores

    def forget(self, *, now_ns: int) -> None:
        """Drop samples that are of no use any more."""
        oldest = now_ns - LONGEST_WINDOW_NS
        for cgroup in [cgroup for cgroup, sample in self._samples.items() if sample.at_ns < oldest]:
            del self._samples[cgroup]
