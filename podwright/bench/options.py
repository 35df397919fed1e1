"""What a bench run is told, and is reported with its numbers."""

from __future__ import annotations

import msgspec

from podwright.errors import InvalidArgument

MAX_PODS = 1000


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`pods` are started at each of `concurrencies`, after `warmup` pods that are not counted.

    `image` needs `sh` and `sleep`; it is pulled when the endpoint lacks it. `handler` is CRI's runtime handler;
    `cgroup_parent` empty leaves the pods to the endpoint's own default.
    """

    endpoints: tuple[str, ...]
    pods: int = 20
    concurrencies: tuple[int, ...] = (1, 4)
    image: str = "busybox:latest"
    warmup: int = 2
    handler: str = ""
    cgroup_parent: str = ""

    def check(self) -> None:
        """Raises InvalidArgument when the numbers make no sense."""
        if not self.endpoints:
            raise InvalidArgument("there is no endpoint to measure")
        if not 1 <= self.pods <= MAX_PODS:
            raise InvalidArgument(f"the number of pods must be between 1 and {MAX_PODS}")
        if not self.concurrencies or min(self.concurrencies) < 1:
            raise InvalidArgument("concurrency must be at least 1")
        if self.warmup < 0:
            raise InvalidArgument("the number of warm-up pods cannot be negative")
