"""How often clients may call one of the agent's APIs: rate and burst are the kubelet's (Kubernetes 1.36)."""

from __future__ import annotations

from typing import Any

import grpc

from podwright.agent.clock import Clock
from podwright.k8s.client.limiter import TokenBucket

RATE_PER_S, BURST = 100.0, 10


class CallLimit:
    """One limit for all clients of an API."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bucket = TokenBucket(rate=RATE_PER_S, burst=BURST)

    async def check(self, context: Any) -> None:
        """End the call with RESOURCE_EXHAUSTED when there were too many. `context` is gRPC's."""
        if self._bucket.reserve(self._clock.monotonic(), 0.0) is None:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
