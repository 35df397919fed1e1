"""`/containerLogs`: the output of a container, from the runtime's log file."""

from __future__ import annotations

import json as std_json
import os
from collections.abc import Callable

from podwright.agent.clock import Clock
from podwright.agent.pods.containers import find_container
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import CriContainerState, ObservedPod
from podwright.agent.server.api.log_options import LogOptions, Unprocessable, instance_id, log_options
from podwright.agent.server.api.log_stream import LogStream
from podwright.agent.server.api.pods import ServedPods
from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse, text
from podwright.errors import InvalidArgument, PodwrightError
from podwright.k8s.objects import Pod


class LogPaths:
    """The handler of the path."""

    def __init__(
        self,
        pods: ServedPods,
        runtime: CriRuntime,
        peek: Callable[[str], ObservedPod | None],
        clock: Clock,
        *,
        splits: bool,
    ) -> None:
        """`peek` returns the newest look at a pod. `splits` is the gate PodLogsQuerySplitStreams."""
        self._pods = pods
        self._runtime = runtime
        self._peek = peek
        self._clock = clock
        self._splits = splits

    async def get(self, request: HttpRequest) -> Answer:
        """GET /containerLogs/NS/POD/CONTAINER."""
        try:
            options = log_options(request.query, self._clock.now_ns(), splits=self._splits)
        except InvalidArgument as failure:
            return text(_message(failure.message), 422 if isinstance(failure, Unprocessable) else 400)
        name, container = request.places["pod"], request.places["container"]
        pod = self._pods.named(request.places["namespace"], name)
        if pod is None:
            return text(f'pod "{name}" does not exist', 404)
        if find_container(pod, container) is None:
            return text(f'container "{container}" not found in pod "{name}"', 404)
        try:
            return await self._answer(pod, container, options)
        except PodwrightError as failure:
            return text(failure.message, 400)

    async def _answer(self, pod: Pod, container: str, options: LogOptions) -> HttpResponse:
        found = instance_id(pod, container, previous=options.previous)
        path = (await self._runtime.container_status(found)).log_path
        if not path or not os.path.exists(path if not options.follow else os.path.dirname(path)):
            return text(f'container "{container}" in pod "{pod.metadata.name}" has no log on this node', 400)
        stream = LogStream(path, options, lambda: self._is_over(pod.metadata.uid, found))
        return HttpResponse(body=stream.parts())

    def _is_over(self, uid: str, container_id: str) -> bool:
        observed = self._peek(uid)
        each = observed.containers if observed is not None else ()
        status = next((one for one in each if one.id == container_id), None)
        return status is None or status.state in (CriContainerState.EXITED, CriContainerState.UNKNOWN)


def _message(message: str) -> str:
    return std_json.dumps({"message": message})
