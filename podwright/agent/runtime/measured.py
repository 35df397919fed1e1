"""A CRI client that counts and measures its calls, as the kubelet's instrumented services do.

Each call is a step of the pass that makes it, so that `podwright describe` can say what a pod waits for.
"""

from __future__ import annotations

import re

import grpc.aio

from podwright.agent.clock import Clock
from podwright.agent.metrics.runtime import RuntimeMetrics
from podwright.agent.runtime.streamed_lists import ListStreamingCriClient
from podwright.cri.client import DEFAULT_TIMEOUT_S, Request, Response
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from podwright.timeline import Step

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OTHER_NAMES = {"update_container_resources": "update_container"}


class MeasuredCriClient(ListStreamingCriClient):
    """Counts and measures each call. A streamed list is one call."""

    def __init__(self, endpoint: str, metrics: RuntimeMetrics, clock: Clock, *, streams_lists: bool = False) -> None:
        super().__init__(endpoint, streams_lists=streams_lists)
        self._metrics = metrics
        self._clock = clock
        self._names: dict[type, str] = {}

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> Response:
        name, began = self._name(type(request)), self._clock.monotonic()
        self._metrics.operations.add(name)
        handler = request.runtime_handler if isinstance(request, api.RunPodSandboxRequest) else None
        try:
            with Step(type(request).__name__.removesuffix("Request")):
                return await super().call(method, request, timeout_s)
        except PodwrightError:
            self._metrics.operation_errors.add(name)
            if handler is not None:
                self._metrics.sandbox_errors.add(handler)
            raise
        finally:
            took_s = self._clock.monotonic() - began
            self._metrics.operation_durations.observe(took_s, name)
            if handler is not None:
                self._metrics.sandboxes.observe(took_s, handler)

    def _name(self, request: type) -> str:
        name = self._names.get(request)
        if name is None:
            name = self._names[request] = operation(request)
        return name


def operation(request: type) -> str:
    """The kubelet's name for a request's operation: `run_podsandbox` for RunPodSandboxRequest."""
    words = request.__name__.removesuffix("Request").replace("PodSandbox", "Podsandbox")
    name = _WORD.sub("_", words).lower()
    return _OTHER_NAMES.get(name, name)
