"""`/run` and `/checkpoint`: each makes one call of the runtime and answers with its result."""

from __future__ import annotations

import json as std_json
import os
from datetime import UTC, datetime

from podwright.agent.clock import Clock
from podwright.agent.pods.containers import find_container
from podwright.agent.pods.identity import full_name
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.server.api import errors
from podwright.agent.server.api.targets import Targets
from podwright.agent.server.http.messages import JSON, Answer, HttpRequest, HttpResponse, json, text
from podwright.cri.status import shown_as_in_go
from podwright.errors import PodwrightError

CHECKPOINTS = "checkpoints"


class CommandPaths:
    """The handlers of both paths."""

    def __init__(self, targets: Targets, runtime: CriRuntime, clock: Clock, root: str) -> None:
        """`root` is the agent's root directory."""
        self._targets = targets
        self._runtime = runtime
        self._clock = clock
        self._directory = os.path.join(root, CHECKPOINTS)

    async def run(self, request: HttpRequest) -> Answer:
        """POST /run/NS/POD[/UID]/CONTAINER?cmd=...: the output of a command that is split at blanks."""
        pod = self._targets.pod(request)
        if pod is None:
            return text(errors.POD_MISSING, 404)
        command = request.parameter("cmd").split(" ")
        try:
            found = await self._targets.running(pod, request.places["container"])
            if found is None:
                return text(f'container not found ("{request.places["container"]}")', 500)
            result = await self._runtime.exec_sync(found.id, command, 0)
        except PodwrightError as failure:
            return text(str(failure), 500)
        output = result.stdout + result.stderr
        if result.exit_code:
            said = result.stderr.decode(errors="replace")
            return text(f"command '{' '.join(command)}' exited with {result.exit_code}: {said}", 500)
        return HttpResponse(body=output, content_type=JSON)

    async def checkpoint(self, request: HttpRequest) -> Answer:
        """POST /checkpoint/NS/POD/CONTAINER?timeout=SECONDS: the path of an archive on this node."""
        pod = self._targets.pod(request)
        if pod is None:
            return text(errors.POD_MISSING, 404)
        name = request.places["container"]
        if find_container(pod, name) is None:
            return text(f"container {name} does not exist", 404)
        given = request.query.get("timeout", ["0"])[-1]
        if not (given.removeprefix("-").isascii() and given.removeprefix("-").isdigit() and len(given) < 19):
            return text("cannot parse value of timeout parameter", 404)
        when = datetime.fromtimestamp(self._clock.now_ns() / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        location = os.path.join(self._directory, f"checkpoint-{full_name(pod)}-{name}-{when}.tar")
        try:
            found = await self._targets.running(pod, name)
            if found is None:
                raise PodwrightError(f"container {name} not found")
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            await self._checkpoint(found.id, location, max(0, int(given)))
        except (PodwrightError, OSError) as failure:
            where = f"{pod.metadata.namespace}/{pod.metadata.name}/{name}"
            return text(f"checkpointing of {where} failed ({failure})", 500)
        return json(std_json.dumps({"items": [location]}, separators=(",", ":")).encode())

    async def _checkpoint(self, container_id: str, location: str, timeout_s: int) -> None:
        try:
            await self._runtime.checkpoint_container(container_id, location, timeout_s)
        except PodwrightError as failure:
            raise PodwrightError(shown_as_in_go(failure)) from failure
